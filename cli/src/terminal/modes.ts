/**
 * Remembers which terminal modes the node's programs have switched on, so that a session that breaks in the middle of
 * `vim` does not leave the person's own shell in the alternate screen, without a cursor, or fed with mouse reports.
 * Sequences: ECMA-48 and xterm's ctlseqs. Only what was left on is switched off; the screen is never cleared.
 */
const ESCAPE = 0x1b

/** Longer parameters than any mode needs; what is longer is not a mode and is skipped. */
const MAX_PARAMETERS = 64

/** DEC private modes and their harmless state. Every other private mode is left as it is. */
const OFF_AT_REST = new Set([
  1, 9, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004, 2026,
])
const ON_AT_REST = new Set([7, 25])

type State = 'text' | 'escape' | 'csi' | 'csi-other'

export class RemoteModes {
  #state: State = 'text'
  #parameters = ''
  readonly #strayed = new Set<number>()
  #coloured = false
  #keypad = false
  #modifiedKeys = false
  #keyboardFlags = 0

  /** Reads terminal output; may be cut anywhere. Costs one native search per chunk that holds no ESC. */
  observe(output: Uint8Array): void {
    let at = 0
    while (at < output.length) {
      if (this.#state === 'text') {
        const start = output.indexOf(ESCAPE, at)
        if (start === -1) return
        this.#state = 'escape'
        at = start + 1
      } else {
        this.#step(output[at++] ?? 0)
      }
    }
  }

  /** What puts the terminal back, as far as the node has left it changed: empty when it has not. */
  reset(): string {
    let text = ''
    if (this.#keyboardFlags > 0) text += `\x1b[<${this.#keyboardFlags}u`
    if (this.#modifiedKeys) text += '\x1b[>4m'
    if (this.#keypad) text += '\x1b>'
    for (const mode of this.#strayed) text += `\x1b[?${mode}${ON_AT_REST.has(mode) ? 'h' : 'l'}`
    if (this.#coloured) text += '\x1b[m'
    this.#forget()
    return text
  }

  #step(byte: number): void {
    if (byte === ESCAPE) {
      this.#state = 'escape'
    } else if (this.#state === 'escape') {
      this.#afterEscape(byte)
    } else if (byte >= 0x40 && byte <= 0x7e) {
      if (this.#state === 'csi') this.#sequence(this.#parameters, String.fromCharCode(byte))
      this.#state = 'text'
    } else if (byte >= 0x20 && byte < 0x40 && this.#parameters.length < MAX_PARAMETERS) {
      this.#parameters += String.fromCharCode(byte)
    } else if (byte >= 0x20) {
      this.#state = 'csi-other'
    }
  }

  #afterEscape(byte: number): void {
    this.#state = 'text'
    const final = String.fromCharCode(byte)
    if (final === '[') {
      this.#state = 'csi'
      this.#parameters = ''
    } else if (final === '=' || final === '>') {
      this.#keypad = final === '='
    } else if (final === 'c') {
      this.#forget()
    }
  }

  #sequence(parameters: string, final: string): void {
    if (parameters.startsWith('?') && (final === 'h' || final === 'l')) {
      for (const mode of parameters.slice(1).split(';')) this.#privateMode(Number(mode), final === 'h')
    } else if (final === 'm' && parameters.startsWith('>4')) {
      this.#modifiedKeys = !/^>4(;0?)?$/.test(parameters)
    } else if (final === 'm' && /^[\d;:]*$/.test(parameters)) {
      this.#coloured = !/(^|;)0*$/.test(parameters)
    } else if (final === 'u' && parameters.startsWith('>')) {
      this.#keyboardFlags += 1
    } else if (final === 'u' && parameters.startsWith('<')) {
      this.#keyboardFlags = Math.max(0, this.#keyboardFlags - (Number(parameters.slice(1)) || 1))
    }
  }

  #privateMode(mode: number, on: boolean): void {
    const strays = (OFF_AT_REST.has(mode) && on) || (ON_AT_REST.has(mode) && !on)
    if (strays) this.#strayed.add(mode)
    else this.#strayed.delete(mode)
  }

  #forget(): void {
    this.#strayed.clear()
    this.#coloured = false
    this.#keypad = false
    this.#modifiedKeys = false
    this.#keyboardFlags = 0
  }
}
