/** What the person asked of the client itself, by an escape sequence. */
export type EscapeAction = 'disconnect' | 'help' | 'suspend'

export type EscapeResult = {
  /** What goes to the node, in order. May be the very array that was fed. */
  send: Uint8Array
  /** The strongest of the actions in these bytes: disconnect, then suspend, then help. */
  action?: EscapeAction
}

const TILDE = 0x7e
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

const ACTIONS = new Map<number, EscapeAction>([
  [0x2e, 'disconnect'], // .
  [0x3f, 'help'], // ?
  [0x1a, 'suspend'], // Ctrl-Z
])

const STRENGTH: Record<EscapeAction, number> = { help: 1, suspend: 2, disconnect: 3 }

export const ESCAPE_HELP = `Escape sequences, recognised directly after Enter:
  ~.   end the session
  ~^Z  suspend this program (bring it back with fg)
  ~?   this text
  ~~   send one ~
`

/**
 * Finds the escape sequences of ssh(1) ("ESCAPE CHARACTERS") in what a person types. They are the only way out of
 * a session whose node no longer answers, because every key, Ctrl-C included, belongs to the node.
 *
 * A tilde at the start of a line is held until the next byte says what it meant. As in ssh, an escape sequence leaves
 * the start of the line where it was: `~?` can be followed by `~.`.
 */
export class EscapeFilter {
  #lineStart = true
  #held = false

  /** `bytes` may be cut anywhere. After `disconnect` the rest of `bytes` is discarded. */
  feed(bytes: Uint8Array): EscapeResult {
    if (!this.#held && !bytes.includes(TILDE)) {
      this.#lineStart = bytes.length === 0 ? this.#lineStart : isLineEnd(bytes[bytes.length - 1])
      return { send: bytes }
    }
    return this.#scan(bytes)
  }

  #scan(bytes: Uint8Array): EscapeResult {
    // One more than was fed: a tilde held back from the bytes before may be released now.
    const send = new Uint8Array(bytes.length + 1)
    let length = 0
    let action: EscapeAction | undefined
    for (const byte of bytes) {
      if (this.#held) {
        this.#held = false
        const asked = ACTIONS.get(byte)
        if (asked !== undefined) {
          action = stronger(action, asked)
          if (asked === 'disconnect') break
          continue
        }
        if (byte !== TILDE) send[length++] = TILDE
      } else if (this.#lineStart && byte === TILDE) {
        this.#held = true
        continue
      }
      send[length++] = byte
      this.#lineStart = isLineEnd(byte)
    }
    const kept = send.subarray(0, length)
    return action === undefined ? { send: kept } : { send: kept, action }
  }
}

const isLineEnd = (byte: number | undefined) => byte === CARRIAGE_RETURN || byte === LINE_FEED

const stronger = (known: EscapeAction | undefined, asked: EscapeAction) =>
  known !== undefined && STRENGTH[known] >= STRENGTH[asked] ? known : asked
