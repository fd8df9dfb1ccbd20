/**
 * Where a client opens its data channel: on the address by which it reached the API. Stock plugins keep using
 * this URL for the whole session (data-plane.md 9.2).
 */
export function streamUrl(origin: string, sessionId: string): string {
  return `${origin.replace(/^http/, 'ws')}/v1/data-channel/${encodeURIComponent(sessionId)}?role=publish_subscribe`
}
