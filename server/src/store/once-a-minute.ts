const MINUTE_MS = 60_000
/** Beyond so many all are forgotten: it costs them a write each. */
const MAXIMUM_KEYS = 10_000

/**
 * Whether the time of a last use is to be written, of each key once a minute. It is for people: writing it with every
 * request would make every request a write.
 */
export function onceAMinute(): (key: string, now: number) => boolean {
  const written = new Map<string, number>()
  return (key, now) => {
    const last = written.get(key)
    // Also after the clock was set back.
    if (last !== undefined && Math.abs(now - last) < MINUTE_MS) return false
    if (written.size >= MAXIMUM_KEYS) written.clear()
    written.set(key, now)
    return true
  }
}
