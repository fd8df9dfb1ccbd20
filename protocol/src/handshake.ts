import { ProtocolError } from './errors.ts'
import { jsonRecord } from './json-record.ts'
import type { SendLimits } from './outgoing.ts'

/** Each step of the handshake may take this long, ms (data-plane.md 12.1). */
export const HANDSHAKE_TIMEOUT = 15_000

export const SessionType = {
  standardStream: 'Standard_Stream',
  interactiveCommands: 'InteractiveCommands',
  nonInteractiveCommands: 'NonInteractiveCommands',
  port: 'Port',
} as const

/** `type` among the properties of a `Port` session whose client has a port of its own (data-plane.md 15.1); without it, raw. */
export const LOCAL_PORT_FORWARDING = 'LocalPortForwarding'

const ActionType = {
  sessionType: 'SessionType',
  kmsEncryption: 'KMSEncryption',
  /** Ours: everything in which our own pair differs from a stock pair, versioned as one. */
  sallyport: 'Sallyport/1',
} as const

/** data-plane.md 12.3; stock plugins answer an action they do not know with 0. */
const ActionStatus = { success: 1, failed: 2, unsupported: 3 } as const

/** What `Sallyport/1` agrees on: both ends may send so much, and acknowledge cumulatively. */
export type SallyportTerms = { payload: number; window: number }
/** What a socket is read by, 64 KiB, and the two smux headers that so much takes: one message for each read. */
const OWN_PAYLOAD = 64 * 1024 + 16
const OWN_TERMS: SallyportTerms = { payload: OWN_PAYLOAD, window: 1024 * 1024 }
/** A peer may offer less than we do, but not so little that a session crawls, or one piece of output overfills it. */
const LEAST_TERMS: SallyportTerms = { payload: 1024, window: 256 * 1024 }
/** With our own pair nothing is lost while a connection lives, so a slow link must not look like loss; ms. */
const OWN_MINIMUM_RTO = 1_000
const OWN_MAXIMUM_RTO = 10_000

const requestRecord = jsonRecord('HandshakeRequest', {
  AgentVersion: 'string',
  RequestedClientActions: 'json',
})
const requestedActionRecord = jsonRecord('requested action', {
  ActionType: 'string',
  ActionParameters: 'json?',
})
const sessionTypeRecord = jsonRecord('SessionType action', { SessionType: 'string', Properties: 'json?' })
const responseRecord = jsonRecord('HandshakeResponse', {
  ClientVersion: 'string',
  ProcessedClientActions: 'json',
  Errors: 'json?',
})
const processedActionRecord = jsonRecord('processed action', {
  ActionType: 'string',
  ActionStatus: 'number',
  ActionResult: 'json?',
  Error: 'string?',
})
const completeRecord = jsonRecord('HandshakeComplete', {
  HandshakeTimeToComplete: 'number',
  CustomerMessage: 'string?',
})
const termsRecord = jsonRecord('Sallyport/1 terms', { MaximumPayload: 'number', Window: 'number' })

/** The limits to send by once terms are agreed. */
export function limitsOf(terms: SallyportTerms): SendLimits {
  return {
    payload: terms.payload,
    window: terms.window,
    messages: Number.POSITIVE_INFINITY,
    minimumRto: OWN_MINIMUM_RTO,
    maximumRto: OWN_MAXIMUM_RTO,
  }
}

export type HandshakeRequest = {
  agentVersion: string
  sessionType: string
  properties: unknown
  /** The key that the session must be encrypted with. */
  kmsKeyId: string | undefined
  /** What the agent offers, if it is ours. */
  offer: SallyportTerms | undefined
  unknownActions: string[]
}

/** What an agent asks of its client (data-plane.md 12.2): the session type first, then what else there is. */
export function encodeHandshakeRequest(
  agentVersion: string,
  sessionType: string,
  properties: unknown,
): Uint8Array {
  return requestRecord.encode({
    AgentVersion: agentVersion,
    RequestedClientActions: [
      {
        ActionType: ActionType.sessionType,
        ActionParameters: { SessionType: sessionType, Properties: properties ?? null },
      },
      { ActionType: ActionType.sallyport, ActionParameters: writeTerms(OWN_TERMS) },
    ],
  })
}

export function decodeHandshakeRequest(payload: Uint8Array): HandshakeRequest {
  const { AgentVersion, RequestedClientActions } = requestRecord.decode(payload)
  const request: HandshakeRequest = {
    agentVersion: AgentVersion,
    sessionType: SessionType.standardStream,
    properties: undefined,
    kmsKeyId: undefined,
    offer: undefined,
    unknownActions: [],
  }
  for (const entry of listOf('RequestedClientActions', RequestedClientActions)) {
    const action = requestedActionRecord.read(entry)
    switch (action.ActionType) {
      case ActionType.sessionType: {
        const parameters = sessionTypeRecord.read(action.ActionParameters)
        request.sessionType = parameters.SessionType
        request.properties = parameters.Properties
        break
      }
      case ActionType.kmsEncryption:
        request.kmsKeyId = jsonRecord('KMSEncryption action', { KMSKeyId: 'string' }).read(
          action.ActionParameters,
        ).KMSKeyId
        break
      case ActionType.sallyport:
        request.offer = readTerms(action.ActionParameters)
        break
      default:
        request.unknownActions.push(action.ActionType)
    }
  }
  return request
}

/** What a client can do; `problem` explains what it cannot, and makes the agent end the session. */
export type HandshakeAnswer = { clientVersion: string; problem?: string | undefined }

/** Answers every action of the request; an offer of `Sallyport/1` is always taken, at the lower terms. */
export function answerHandshake(
  request: HandshakeRequest,
  answer: HandshakeAnswer,
): { payload: Uint8Array; terms: SallyportTerms | undefined } {
  const done = (type: string, result: unknown = null) => processed(type, ActionStatus.success, '', result)
  const terms = request.offer && lower(request.offer, OWN_TERMS)
  const actions = [
    answer.problem === undefined
      ? done(ActionType.sessionType)
      : processed(ActionType.sessionType, ActionStatus.failed, answer.problem),
  ]
  if (request.kmsKeyId !== undefined) {
    actions.push(
      processed(
        ActionType.kmsEncryption,
        ActionStatus.unsupported,
        'this client cannot encrypt sessions with KMS',
      ),
    )
  }
  if (terms !== undefined) actions.push(done(ActionType.sallyport, writeTerms(terms)))
  for (const type of request.unknownActions)
    actions.push(processed(type, ActionStatus.unsupported, 'unknown action'))
  const payload = responseRecord.encode({
    ClientVersion: answer.clientVersion,
    ProcessedClientActions: actions,
    Errors: null,
  })
  return { payload, terms }
}

export type HandshakeOutcome = { clientVersion: string; terms: SallyportTerms | undefined }

/**
 * Reads a client's answer. Throws `ProtocolError` 'handshake-failed' with the stock agent's words (data-plane.md
 * 12.3) if the client could not do what the session needs. No answer to `Sallyport/1` but success means that the
 * client is a stock one.
 */
export function decodeHandshakeResponse(payload: Uint8Array): HandshakeOutcome {
  const { ClientVersion, ProcessedClientActions } = responseRecord.decode(payload)
  let terms: SallyportTerms | undefined
  let typed = false
  for (const entry of listOf('ProcessedClientActions', ProcessedClientActions)) {
    const action = processedActionRecord.read(entry)
    const success = action.ActionStatus === ActionStatus.success
    if (action.ActionType === ActionType.sallyport) {
      if (success) terms = lower(readTerms(action.ActionResult), OWN_TERMS)
    } else if (!success) {
      throw new ProtocolError(
        'handshake-failed',
        `Encountered error while initiating handshake. ${action.ActionType} failed on client with status ${action.ActionStatus} error: ${action.Error ?? ''}`,
      )
    } else if (action.ActionType === ActionType.sessionType) typed = true
  }
  if (!typed) throw new ProtocolError('handshake-failed', 'the client did not answer the SessionType action')
  return { clientVersion: ClientVersion, terms }
}

/** data-plane.md 12.4; the time that the handshake took goes out in nanoseconds. */
export function encodeHandshakeComplete(milliseconds: number, customerMessage = ''): Uint8Array {
  return completeRecord.encode({
    HandshakeTimeToComplete: Math.round(milliseconds * 1e6),
    CustomerMessage: customerMessage,
  })
}

/** The message that the user is to see, empty if none. */
export function decodeHandshakeComplete(payload: Uint8Array): string {
  return completeRecord.decode(payload).CustomerMessage ?? ''
}

function processed(type: string, status: number, error: string, result: unknown = null) {
  return { ActionType: type, ActionStatus: status, ActionResult: result, Error: error }
}

function writeTerms(terms: SallyportTerms) {
  return { MaximumPayload: terms.payload, Window: terms.window }
}

function readTerms(json: unknown): SallyportTerms {
  const { MaximumPayload, Window } = termsRecord.read(json)
  if (!(MaximumPayload >= LEAST_TERMS.payload && Window >= LEAST_TERMS.window && MaximumPayload <= Window)) {
    throw new ProtocolError(
      'handshake-failed',
      `Sallyport/1 with a payload of ${MaximumPayload} and a window of ${Window} bytes`,
    )
  }
  return { payload: Math.floor(MaximumPayload), window: Math.floor(Window) }
}

function lower(a: SallyportTerms, b: SallyportTerms): SallyportTerms {
  return { payload: Math.min(a.payload, b.payload), window: Math.min(a.window, b.window) }
}

/** More actions than any peer asks for. */
const MAXIMUM_ACTIONS = 16

function listOf(what: string, json: unknown): unknown[] {
  if (!Array.isArray(json) || json.length > MAXIMUM_ACTIONS) {
    throw new ProtocolError('bad-payload', `${what} is not a list of at most ${MAXIMUM_ACTIONS} actions`)
  }
  return json
}
