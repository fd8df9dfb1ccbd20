import { CTRL_C, type KeySource, readKeys } from './keys.ts'

/** What a person at Ctrl-C wants: the command ended, to look no longer, or out of here at once. */
export type Wish = 'cancel' | 'detach' | 'leave'

export type InterruptOptions = {
  process: Pick<NodeJS.Process, 'on' | 'off'>
  stdin: KeySource
  /** Whether there is somebody to ask. */
  canAsk: boolean
  /** Shows the question, or with `false` takes it away again. */
  showQuestion: (shown: boolean) => void
  onWish: (wish: Wish) => void
}

const WISHES: Readonly<Record<string, Wish | 'continue'>> = {
  y: 'cancel',
  d: 'detach',
  c: 'continue',
  n: 'continue',
  '\r': 'continue',
  '\n': 'continue',
  [CTRL_C]: 'leave',
}

/** Ctrl-C: the first asks, or cancels where nobody can be asked; the next one leaves. */
export const watchInterrupts = (options: InterruptOptions): { close: () => void } => {
  const { process, stdin, canAsk, showQuestion, onWish } = options
  let state: 'watching' | 'asking' | 'cancelling' = 'watching'
  let stopReading = () => {}

  const answer = (wish: Wish | 'continue') => {
    stopReading()
    if (state === 'asking') showQuestion(false)
    state = wish === 'cancel' ? 'cancelling' : 'watching'
    if (wish !== 'continue') onWish(wish)
  }
  const onSignal = () => {
    if (state !== 'watching') return answer('leave')
    if (!canAsk) return answer('cancel')
    state = 'asking'
    showQuestion(true)
    stopReading = readKeys(stdin, key => {
      const wish = WISHES[key.toLowerCase()]
      if (wish !== undefined && state === 'asking') answer(wish)
    })
  }
  process.on('SIGINT', onSignal)
  return {
    close: () => {
      process.off('SIGINT', onSignal)
      stopReading()
      if (state === 'asking') showQuestion(false)
    },
  }
}

/** One question with yes or no, where no is what Enter means. False at Ctrl-C too. */
export const askYesNo = (stdin: KeySource, show: (question: string) => void, question: string) =>
  new Promise<boolean>(resolve => {
    show(`${question} [y/N] `)
    const stop = readKeys(stdin, key => {
      if (!/[yn\r\n]/i.test(key) && key !== CTRL_C) return
      stop()
      show('')
      resolve(key.toLowerCase() === 'y')
    })
  })
