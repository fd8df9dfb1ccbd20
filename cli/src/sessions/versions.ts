const PARTS = 4

/**
 * Whether an agent's version is above another (data-plane.md 12.5). Up to four numeric parts, missing ones are 0; any
 * other text is older than everything.
 */
export function isNewerVersion(version: string, than: string): boolean {
  if (!/^\d+(\.\d+){0,3}$/.test(version)) return false
  const [a, b] = [version, than].map(text => text.split('.').map(Number))
  for (let i = 0; i < PARTS; i++) {
    const difference = (a?.[i] ?? 0) - (b?.[i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return false
}
