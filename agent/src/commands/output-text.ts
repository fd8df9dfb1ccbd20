/** Of standardOutput and of standardError in a reply, characters (control-plane.md 10.2). */
export const MAXIMUM_STREAM = 24_000
const MAXIMUM_OUTPUT = 2_500
const STREAM_CUT = '--output truncated--'
const ERROR_TITLE = '\n----------ERROR-------\n'
const OUTPUT_CUT = '\n---Output truncated---'
const ERROR_CUT = '\n---Error truncated----'

/** One stream as a reply has it: a longer one is cut, mark included. */
export function cutStream(text: string): string {
  if (text.length < MAXIMUM_STREAM) return text
  return beginning(text, MAXIMUM_STREAM - STREAM_CUT.length) + STREAM_CUT
}

/** `output` of a reply: both streams, and of each so much that they fit, as AWS's agent divides the room. */
export function outputOf(stdout: string, stderr: string): string {
  const title = stderr === '' ? '' : ERROR_TITLE
  const room = MAXIMUM_OUTPUT - title.length
  if (stdout.length + stderr.length < room) return stdout + title + stderr
  const half = room / 2
  if (stdout.length > half && stderr.length > half) {
    const each = Math.floor((room - ERROR_CUT.length - OUTPUT_CUT.length) / 2)
    return beginning(stdout, each) + OUTPUT_CUT + title + beginning(stderr, each) + ERROR_CUT
  }
  if (stdout.length <= half) {
    return stdout + title + beginning(stderr, room - ERROR_CUT.length - stdout.length) + ERROR_CUT
  }
  return beginning(stdout, room - OUTPUT_CUT.length - stderr.length) + OUTPUT_CUT + title + stderr
}

/** Never half of a surrogate pair. */
function beginning(text: string, length: number): string {
  const last = text.charCodeAt(length - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length)
}
