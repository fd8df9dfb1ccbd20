/**
 * The versions that our two ends announce on the wire. Peers gate features by comparing them with AWS's own
 * releases (data-plane.md 12.5), so these name the AWS release whose behaviour we match, not our own version.
 *
 * They must have **exactly four numeric parts**: the stock plugin takes any other shape for "older than everything"
 * and falls back to un-multiplexed port sessions. The client's must be above 1.2.331.0, or a stock agent leaves its
 * smux keep-alive on, and above 1.2.497.0, or the aws CLI puts the session token into argv (data-plane.md 18.1).
 */
export const CLIENT_COMPATIBILITY_VERSION = '1.2.764.0'

/** Above 3.1.1511.0: stock plugins use smux for port sessions and switch their smux keep-alive off. */
export const AGENT_COMPATIBILITY_VERSION = '3.3.2299.0'

/** What our agent calls itself in UpdateInstanceInformation; a stock one says `amazon-ssm-agent`. */
export const OWN_AGENT_NAME = 'sallyport-agent'

const VERSION = /^\d{1,9}(\.\d{1,9}){0,3}$/

/** Whether this is a version: one to four numeric parts. A peer may have sent anything. */
export function isVersion(text: string): boolean {
  return VERSION.test(text)
}

/**
 * Whether a version has what came with another (data-plane.md 12.5): part by part, missing ones are 0. What is no
 * version is older than everything.
 */
export function isVersionSince(version: string, since: string): boolean {
  if (!isVersion(version)) return false
  const [theirs = [], wanted = []] = [version, since].map(text => text.split('.').map(Number))
  const parts = Math.max(theirs.length, wanted.length)
  for (let i = 0; i < parts; i++) {
    const difference = (theirs[i] ?? 0) - (wanted[i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}
