import { createHash } from 'node:crypto'

/** Names that mean the same file on every system; the rest is encoded. */
const PLAIN = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}$/
/** As AWS's agent names the directories of schema 1.x: `awsrunShellScript` (control-plane.md 15.2). */
const PLUGIN = /^(?:\d{1,4}\.)?aws:[A-Za-z]{1,40}$/
/** In the command's directory, beside the steps. */
export const DOWNLOADS = 'downloads'
/** Device names of Windows, with or without an extension, and what the command's directory holds itself. */
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d|downloads)(?:\.|$)/i
const KEPT = 40

/**
 * The name of the directory of a step in its command's, whatever the step is called (security-cases.md 38): one plain
 * component, equal for equal names only.
 */
export function stepDirectory(step: string): string {
  const name = PLUGIN.test(step) ? step.replace(':', '') : step
  if (PLAIN.test(name) && !RESERVED.test(name) && !name.endsWith('.')) return name
  const digest = createHash('sha256').update(step).digest('hex').slice(0, 16)
  const readable = step.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, KEPT)
  return `_${readable}-${digest}`
}
