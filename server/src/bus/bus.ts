export type BusMessage = null | boolean | number | string | BusMessage[] | { [name: string]: BusMessage }

export type BusHandler = (message: BusMessage) => void | Promise<void>

/**
 * Carries events between the parts of a server and between servers. Nothing here is the only copy of anything:
 * who is not subscribed when a message is published misses it. Messages of one subject arrive in the order in
 * which they were published, each handler getting a copy of its own.
 */
export type Bus = {
  /** Throws BusError `overflow` when too much waits for delivery, `closed`, or `bad-subject`. */
  publish(subject: string, message: BusMessage): void | Promise<void>
  /** Subjects are exact, there are no wildcards. Answers with the function that ends the subscription. */
  subscribe(subject: string, handler: BusHandler): () => void
  /** Ends every subscription; what was not delivered by then is dropped. */
  close(): void | Promise<void>
}

/** Told when a handler throws or rejects, which has no other effect. */
export type BusErrorListener = (error: unknown, subject: string) => void

export class BusError extends Error {
  override readonly name = 'BusError'
  readonly code: 'overflow' | 'closed' | 'bad-subject'

  constructor(code: BusError['code'], message: string) {
    super(message)
    this.code = code
  }
}

type Scope = { accountId: string; region: string }

/** What concerns a node: tasks to send, sessions to end, its deregistration. */
export function nodeSubject({ accountId, region }: Scope, nodeId: string): string {
  return ['node', accountId, region, nodeId].map(subjectToken).join('.')
}

export function sessionSubject({ accountId, region }: Scope, sessionId: string): string {
  return ['session', accountId, region, sessionId].map(subjectToken).join('.')
}

/** What becomes of a command: its invocations, their output. */
export function commandSubject({ accountId, region }: Scope, commandId: string): string {
  return ['command', accountId, region, commandId].map(subjectToken).join('.')
}

/** Somebody's rights may have changed: policies, users, keys, roles, tags, documents, nodes. */
export function accessSubject({ accountId, region }: Scope): string {
  return ['access', accountId, region].map(subjectToken).join('.')
}

// NATS, whose rules hold for every bus: tokens between dots, never empty, no white space, `*` and `>` are wildcards
// (docs.nats.io, "Subject-Based Messaging").
const subjectPattern = /^[^\s.*>\0]+(\.[^\s.*>\0]+)*$/
const MAX_SUBJECT = 512

/** Throws BusError `bad-subject` for what could not be a subject on some bus. */
export function checkSubject(subject: string): void {
  if (subject.length <= MAX_SUBJECT && subjectPattern.test(subject)) return
  throw new BusError('bad-subject', `${JSON.stringify(subject.slice(0, MAX_SUBJECT))} is not a subject`)
}

// A session id begins with a name that may hold dots, which would be further tokens.
function subjectToken(text: string): string {
  return encodeURIComponent(text).replace(
    /[.*!'()~]/g,
    character => `%${character.charCodeAt(0).toString(16)}`,
  )
}
