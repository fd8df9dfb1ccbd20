import { type Infer, s } from '../aws/shape.ts'
import { nextToken, type Timestamp } from './ssm-types.ts'

// control-plane.md 19

const target = s.string({ min: 1, max: 400 })
const sessionId = s.string({ min: 1, max: 96 })

const parameters = s.map(s.string({ min: 1, max: 255 }), s.list(s.string({ min: 1, max: 65535 })))

export const sessionFilterKeys = [
  'InvokedAfter',
  'InvokedBefore',
  'Target',
  'Owner',
  'Status',
  'SessionId',
  'AccessType',
] as const

const startSession = s.structure(
  {
    Target: target,
    DocumentName: s.string({ pattern: '^[a-zA-Z0-9_\\-.:/]{3,128}$' }),
    Reason: s.string({ min: 1, max: 256, pattern: '^.{1,256}$' }),
    Parameters: parameters,
  },
  { required: ['Target'] },
)

const resumeSession = s.structure({ SessionId: sessionId }, { required: ['SessionId'] })

const terminateSession = s.structure({ SessionId: sessionId }, { required: ['SessionId'] })

const describeSessions = s.structure(
  {
    State: s.string({ enum: ['Active', 'History'] }),
    MaxResults: s.integer({ min: 1, max: 200 }),
    NextToken: nextToken,
    Filters: s.list(
      s.structure(
        { key: s.string({ enum: sessionFilterKeys }), value: s.string({ min: 1, max: 400 }) },
        { required: ['key', 'value'] },
      ),
      { min: 1, max: 6 },
    ),
  },
  { required: ['State'] },
)

const getConnectionStatus = s.structure({ Target: target }, { required: ['Target'] })

export const sessionOperations = {
  StartSession: { input: startSession },
  ResumeSession: { input: resumeSession },
  TerminateSession: { input: terminateSession },
  DescribeSessions: { input: describeSessions },
  GetConnectionStatus: { input: getConnectionStatus },
} as const

export type StartSessionInput = Infer<typeof startSession>
export type ResumeSessionInput = Infer<typeof resumeSession>
export type TerminateSessionInput = Infer<typeof terminateSession>
export type DescribeSessionsInput = Infer<typeof describeSessions>
export type GetConnectionStatusInput = Infer<typeof getConnectionStatus>

/** `TokenValue` has at most 300 characters; empty it means that the session is over. */
export type StartSessionOutput = {
  readonly SessionId: string
  readonly TokenValue: string
  readonly StreamUrl: string
}

export type ResumeSessionOutput = StartSessionOutput

export type TerminateSessionOutput = { readonly SessionId: string }

export type DescribeSessionsOutput = {
  readonly Sessions: readonly SessionRecord[]
  readonly NextToken?: string | undefined
}

/** Lower case, unlike the other statuses of AWS. */
export type GetConnectionStatusOutput = {
  readonly Target: string
  readonly Status: 'connected' | 'notconnected'
}

export type SessionStatus =
  | 'Connected'
  | 'Connecting'
  | 'Disconnected'
  | 'Terminated'
  | 'Terminating'
  | 'Failed'

export type SessionRecord = {
  readonly SessionId: string
  readonly Target: string
  readonly Status: SessionStatus
  readonly StartDate?: Timestamp | undefined
  readonly EndDate?: Timestamp | undefined
  readonly DocumentName?: string | undefined
  /** An ARN. */
  readonly Owner?: string | undefined
  readonly Reason?: string | undefined
  readonly Details?: string | undefined
  readonly OutputUrl?: { readonly S3OutputUrl?: string; readonly CloudWatchOutputUrl?: string } | undefined
  /** Minutes, as text. */
  readonly MaxSessionDuration?: string | undefined
  readonly AccessType?: 'Standard' | 'JustInTime' | undefined
}
