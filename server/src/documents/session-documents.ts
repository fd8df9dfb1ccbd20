import { LOCAL_PORT_FORWARDING } from '@sallyport/protocol/handshake'

// Session documents that AWS owns (control-plane.md 14.1). Schema 1.0; their owner is `Amazon`, so that a policy
// names them with an empty account.

export type DocumentParameter = {
  type: 'String' | 'StringList'
  description?: string
  default?: string | string[]
  allowedPattern?: string
  allowedValues?: string[]
  minChars?: number
  maxChars?: number
  minItems?: number
  maxItems?: number
}

export type SessionDocument = {
  schemaVersion: string
  description?: string
  sessionType: string
  inputs?: Record<string, unknown>
  parameters?: Record<string, DocumentParameter>
  properties?: unknown
}

/** The account's own preferences: what a shell session without a document name is started with. */
export const PREFERENCES_DOCUMENT = 'SSM-SessionManagerRunShell'

/** What AWS assumes where the account has no preferences. */
export const defaultPreferences: SessionDocument = {
  schemaVersion: '1.0',
  description: 'Document to hold regional settings for Session Manager',
  sessionType: 'Standard_Stream',
  inputs: {
    s3BucketName: '',
    s3KeyPrefix: '',
    s3EncryptionEnabled: true,
    cloudWatchLogGroupName: '',
    cloudWatchEncryptionEnabled: true,
    cloudWatchStreamingEnabled: true,
    idleSessionTimeout: '20',
    maxSessionDuration: '',
    kmsKeyId: '',
    runAsEnabled: false,
    runAsDefaultUser: '',
    shellProfile: { windows: '', linux: '' },
  },
}

const PORT = '([1-9]|[1-9][0-9]{1,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])'
const LOCAL_PORT = `^(0|${PORT})$`

const portNumber: DocumentParameter = {
  type: 'String',
  description: 'Port number of the server on the node',
  allowedPattern: `^${PORT}$`,
  default: '80',
}
const localPortNumber: DocumentParameter = {
  type: 'String',
  description: 'Port number on the local machine to forward traffic to; 0 chooses a free one',
  allowedPattern: LOCAL_PORT,
  default: '0',
}

function command(
  sessionType: string,
  description: string,
  more: { parameters?: SessionDocument['parameters']; properties?: object } = {},
): SessionDocument {
  const properties = { commands: '{{ command }}', runAsElevated: false, ...more.properties }
  return {
    schemaVersion: '1.0',
    description,
    sessionType,
    parameters: {
      command: { type: 'String', description: 'The command to run on the node' },
      ...more.parameters,
    },
    properties: { linux: properties, windows: properties, macos: properties },
  }
}

// Off unless asked for, as in AWS: it changes what a stock client gets to see (data-plane.md 14.3).
const separateOutput = {
  parameters: {
    separateOutputStream: {
      type: 'String',
      description: 'Whether standard error and the exit status come apart from standard output',
      allowedValues: ['true', 'false'],
      default: 'false',
    },
  },
  properties: { separateOutputStream: '{{ separateOutputStream }}' },
} as const satisfies { parameters: Record<string, DocumentParameter>; properties: object }

const FORWARDING = {
  portNumber: '{{ portNumber }}',
  type: LOCAL_PORT_FORWARDING,
  localPortNumber: '{{ localPortNumber }}',
}

/** By name; the content of each is immutable, version 1. */
export const amazonSessionDocuments: Readonly<Record<string, SessionDocument>> = {
  'AWS-StartPortForwardingSession': {
    schemaVersion: '1.0',
    description: 'Document to start port forwarding session over Session Manager',
    sessionType: 'Port',
    parameters: { portNumber, localPortNumber },
    properties: FORWARDING,
  },
  'AWS-StartPortForwardingSessionToRemoteHost': {
    schemaVersion: '1.0',
    description: 'Document to start port forwarding session over Session Manager to remote host',
    sessionType: 'Port',
    parameters: {
      portNumber,
      localPortNumber,
      host: {
        type: 'String',
        description: 'Hostname or IP address of the destination server',
        allowedPattern: '^[0-9a-zA-Z.:_-]{3,255}$',
        default: 'localhost',
      },
    },
    properties: { ...FORWARDING, host: '{{ host }}' },
  },
  'AWS-StartPortForwardingSessionToSocket': {
    schemaVersion: '1.0',
    description: 'Document to start port forwarding session over Session Manager from a local Unix socket',
    sessionType: 'Port',
    parameters: {
      portNumber,
      localUnixSocket: {
        type: 'String',
        description: 'Path of the local Unix socket',
        allowedPattern: '^[^\\0]{1,107}$',
      },
    },
    properties: {
      portNumber: '{{ portNumber }}',
      type: LOCAL_PORT_FORWARDING,
      localConnectionType: 'unix',
      localUnixSocket: '{{ localUnixSocket }}',
    },
  },
  'AWS-StartSSHSession': {
    schemaVersion: '1.0',
    description: 'Document to start an SSH connection over Session Manager',
    sessionType: 'Port',
    parameters: {
      portNumber: { ...portNumber, description: 'Port number of the SSH server on the node', default: '22' },
    },
    properties: { portNumber: '{{ portNumber }}' },
  },
  'AWS-StartInteractiveCommand': command(
    'InteractiveCommands',
    'Document to run a single interactive command on a node',
  ),
  'AWS-StartNonInteractiveCommand': command(
    'NonInteractiveCommands',
    'Document to run a single command on a node without a terminal',
    separateOutput,
  ),
}
