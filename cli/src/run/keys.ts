/** Standard input, as far as single keys are read from it. */
export type KeySource = {
  isTTY?: boolean
  setRawMode?(raw: boolean): unknown
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown
  off(event: 'data', listener: (bytes: Uint8Array) => void): unknown
  pause(): unknown
  resume(): unknown
}

export const CTRL_C = '\x03'

/** Gives each key that is pressed to `onKey`, without showing it, until the answer is called. */
export const readKeys = (stdin: KeySource, onKey: (key: string) => void): (() => void) => {
  const listener = (bytes: Uint8Array) => {
    for (const key of new TextDecoder().decode(bytes)) onKey(key)
  }
  stdin.setRawMode?.(true)
  stdin.on('data', listener)
  stdin.resume()
  let reading = true
  return () => {
    if (!reading) return
    reading = false
    stdin.off('data', listener)
    stdin.setRawMode?.(false)
    stdin.pause()
  }
}
