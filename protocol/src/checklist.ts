// What `sallyport doctor` and `sallyport agent doctor` have in common.

/** One thing that was looked at. `advice` is for what is not as it should be. */
export type Finding = { readonly ok: boolean; readonly what: string; readonly advice?: string | undefined }

/** AWS's, and so ours (control-plane.md 17.3). */
const MAXIMUM_SKEW_MS = 5 * 60_000
const INDENT = '    '

/** A line or more, each ended. */
export function formatFinding({ ok, what, advice }: Finding): string {
  const lines = [`${ok ? '✓' : '✗'} ${what}`]
  if (!ok && advice !== undefined) lines.push(...advice.split('\n').map(line => `${INDENT}${line}`))
  return `${lines.join('\n')}\n`
}

/** By the Date header of an answer. `nowMs` is this machine's clock. */
export function clockFinding(date: string | undefined, nowMs: number): Finding {
  const serverMs = Date.parse(date ?? '')
  if (Number.isNaN(serverMs)) return { ok: false, what: 'the server does not say what time it is' }
  const seconds = Math.round((nowMs - serverMs) / 1000)
  const off = `${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} the server's`
  return Math.abs(nowMs - serverMs) < MAXIMUM_SKEW_MS
    ? { ok: true, what: `this machine's clock agrees with the server's` }
    : {
        ok: false,
        what: `this machine's clock is ${off}`,
        advice: 'Requests are refused at 5 minutes. Set it, or let it be set: see timedatectl(1).',
      }
}
