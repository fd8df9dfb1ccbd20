import { JobAckCode } from '@sallyport/protocol/run-command'

const LEAST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 10_000

const temporary: readonly string[] = [
  JobAckCode.closed,
  JobAckCode.full,
  JobAckCode.internal,
  JobAckCode.unexpected,
]

/** Whether a node that refuses with this code may take it later (data-plane.md 8.3). */
export function isTemporary(code: string): boolean {
  return temporary.includes(code)
}

/** How long to wait after so many refusals (milliseconds); `jitter` is from 0 to 1, so that nodes do not go in step. */
export function pauseAfter(refusals: number, jitter: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, LEAST_PAUSE_MS * 2 ** Math.min(refusals, 10))
  return Math.round(Math.max(LEAST_PAUSE_MS, longest * jitter))
}
