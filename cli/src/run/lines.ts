const LINE_FEED = 0x0a
/** What has no end by then is cut there. */
const MAX_LINE_BYTES = 64 * 1024

/** Puts pieces of bytes together into whole lines of text, without their line feeds. */
export class LineSplitter {
  #rest: Uint8Array[] = []
  #length = 0

  push(piece: Uint8Array): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = piece.indexOf(LINE_FEED); end !== -1; end = piece.indexOf(LINE_FEED, start)) {
      this.#keep(piece.subarray(start, end))
      lines.push(this.#take())
      start = end + 1
    }
    if (start < piece.length) this.#keep(piece.slice(start))
    if (this.#length > MAX_LINE_BYTES) lines.push(this.#take())
    return lines
  }

  /** The last line, where it has no line feed. */
  end(): string[] {
    return this.#length > 0 ? [this.#take()] : []
  }

  #keep(bytes: Uint8Array): void {
    this.#rest.push(bytes)
    this.#length += bytes.length
  }

  #take(): string {
    const text = Buffer.concat(this.#rest).toString('utf8')
    this.#rest = []
    this.#length = 0
    return text
  }
}
