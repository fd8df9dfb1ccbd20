/** One of the two streams that a person or a program reads from. */
export type ScreenStream = {
  isTTY?: boolean
  columns?: number
  writableNeedDrain?: boolean
  write(data: string | Uint8Array): boolean
  once(event: 'drain', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

export type ScreenOptions = {
  stdout?: ScreenStream
  stderr?: ScreenStream
  env?: Readonly<Record<string, string | undefined>>
}

export type StreamName = 'stdout' | 'stderr'

const FALLBACK_COLUMNS = 80
const ERASE = '\r\x1b[K'
const LINE_FEED = 0x0a

/**
 * Standard output and error, and on a terminal a last line that changes in place. What is written goes above that line;
 * while what was written last is no whole line, it is not shown.
 */
export class Screen {
  /** Whether there is a line that changes in place. */
  readonly live: boolean
  readonly #streams: Record<StreamName, ScreenStream>
  readonly #colours: boolean
  #status = ''
  #shown = ''
  #midLine = false

  constructor({ stdout = process.stdout, stderr = process.stderr, env = process.env }: ScreenOptions = {}) {
    this.#streams = { stdout, stderr }
    this.live = stderr.isTTY === true && env.TERM !== 'dumb'
    // https://no-color.org
    this.#colours = env.TERM !== 'dumb' && !env.NO_COLOR
  }

  /** Of the terminal that the last line is on. */
  get columns(): number {
    return this.#streams.stderr.columns || FALLBACK_COLUMNS
  }

  isTerminal(name: StreamName): boolean {
    return this.#streams[name].isTTY === true
  }

  hasColours(name: StreamName): boolean {
    return this.#colours && this.isTerminal(name)
  }

  write(name: StreamName, data: string | Uint8Array): void {
    if (data.length === 0) return
    if (!this.isTerminal(name)) {
      this.#streams[name].write(data)
      return
    }
    this.#hide()
    this.#streams[name].write(data)
    this.#midLine = typeof data === 'string' ? !data.endsWith('\n') : data.at(-1) !== LINE_FEED
    this.#show()
  }

  /** Whole lines for the person, to standard error, begun on a line of their own. */
  notice(text: string): void {
    const fresh = this.#midLine && this.isTerminal('stderr') ? '\n' : ''
    this.write('stderr', `${fresh}${text}\n`)
  }

  /** The last line from now on; empty for none. Must not be wider than `columns`. */
  setStatus(text: string): void {
    if (!this.live) return
    this.#status = text
    if (text === '') this.#hide()
    else this.#show()
  }

  /** As `setStatus`, on a line of its own whatever was written last: for a question. */
  ask(text: string): void {
    if (this.#midLine && this.live) {
      this.#streams.stderr.write('\n')
      this.#midLine = false
    }
    this.setStatus(text)
  }

  /** Takes the last line away; what comes after us begins on a line of its own. */
  close(): void {
    this.setStatus('')
    if (this.#midLine && this.live) this.#streams.stderr.write('\n')
    this.#midLine = false
  }

  /** Resolves when the readers of both streams have taken most of what was written. */
  async drained(): Promise<void> {
    await Promise.all(
      Object.values(this.#streams).map(stream =>
        stream.writableNeedDrain === true
          ? new Promise<void>(resolve => void stream.once('drain', resolve))
          : undefined,
      ),
    )
  }

  /** Standard output can take no more: whoever read it has gone. */
  onClosed(listener: () => void): void {
    this.#streams.stdout.on('error', listener)
  }

  #hide(): void {
    if (this.#shown !== '') this.#streams.stderr.write(ERASE)
    this.#shown = ''
  }

  #show(): void {
    if (this.#midLine || this.#status === this.#shown) return
    this.#streams.stderr.write(`${this.#shown === '' ? '' : '\r'}${this.#status}\x1b[K`)
    this.#shown = this.#status
  }
}
