import { utf8 } from '@sallyport/protocol/bytes'
import {
  type CommandReply,
  type DocumentStatus,
  type StepReply,
  writeCommandReply,
} from '@sallyport/protocol/run-command'
import { AGENT_COMPATIBILITY_VERSION, OWN_AGENT_NAME } from '@sallyport/protocol/versions'
import { platformType } from '../system.ts'

/** A gateway takes control frames of 256 KiB; the text becomes a JSON string once more on its way there. */
const MAXIMUM_REPLY = 200 * 1024
type Text = 'standardOutput' | 'standardError' | 'output'
const TEXTS: readonly Text[] = ['standardOutput', 'standardError', 'output']
const CUT = '\n---Error: the output has too many control characters to be sent whole---'

/**
 * The JSON text of a reply (control-plane.md 10.2), which fits into a frame whatever a program has printed.
 * `finished` are the statuses of all steps that are through.
 */
export function replyContent(reply: CommandReply, now: number, finished: readonly DocumentStatus[]): string {
  const info = {
    agent: {
      lang: 'en-US',
      name: OWN_AGENT_NAME,
      os: platformType().toLowerCase(),
      osver: '1',
      ver: AGENT_COMPATIBILITY_VERSION,
    },
    dateTime: new Date(now).toISOString(),
    runId: '',
    runtimeStatusCounts: finished.length === 0 ? null : countsOf(finished),
  }
  let fitting = reply
  for (;;) {
    const text = writeCommandReply(fitting, info)
    if (utf8(JSON.stringify(text)).length <= MAXIMUM_REPLY) return text
    fitting = { ...fitting, steps: fitting.steps.map(withoutHalf) }
  }
}

function countsOf(statuses: readonly DocumentStatus[]): Partial<Record<DocumentStatus, number>> {
  const counts: Partial<Record<DocumentStatus, number>> = {}
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

/** Halves the text that takes most; ten of these leave next to nothing of the longest. */
function withoutHalf(step: StepReply): StepReply {
  const longest = TEXTS.reduce((a, b) => (sizeOf(step[b]) > sizeOf(step[a]) ? b : a))
  const text = step[longest].replace(CUT, '')
  return { ...step, [longest]: text.slice(0, text.length / 2) + CUT }
}

function sizeOf(text: string): number {
  return JSON.stringify(text).length
}
