import type { Tally } from './invocations.ts'

const BAR = { full: '█', empty: '░', width: 20 } as const

/** A line of at most `columns - 1` characters: a bar, how many are done, where the others are, and the time. */
export const progressLine = (tally: Tally, elapsedMs: number, columns: number, note = ''): string => {
  const { waiting, running, succeeded, failed, cancelled, notRun } = tally
  const done = succeeded + failed + cancelled + notRun
  const total = done + waiting + running
  const parts = [
    `${done}/${total}`,
    count(succeeded, 'succeeded'),
    count(failed, 'failed'),
    count(cancelled, 'cancelled'),
    count(notRun, 'not run'),
    count(running, 'running'),
    count(waiting, 'waiting'),
    formatElapsed(elapsedMs),
    note,
  ]
  const text = parts.filter(Boolean).join('  ')
  const room = columns - 1
  const width = Math.min(BAR.width, room - text.length - 1)
  if (width < 5) return text.slice(0, room)
  const full = total === 0 ? 0 : Math.floor((done / total) * width)
  return `${BAR.full.repeat(full)}${BAR.empty.repeat(width - full)} ${text}`
}

const count = (number: number, what: string): string => (number === 0 ? '' : `${number} ${what}`)

/** `0.4s`, `12s`, `3m05s`, `1h02m` */
export const formatElapsed = (ms: number): string => {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 10) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m${two(seconds % 60)}s`
  return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`
}

const two = (number: number): string => String(number).padStart(2, '0')
