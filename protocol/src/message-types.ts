/** MessageType of the binary envelope (data-plane.md 3). */
export const MessageType = {
  inputStreamData: 'input_stream_data',
  outputStreamData: 'output_stream_data',
  acknowledge: 'acknowledge',
  agentSessionState: 'agent_session_state',
  channelClosed: 'channel_closed',
  startPublication: 'start_publication',
  pausePublication: 'pause_publication',
  interactiveShell: 'interactive_shell',
  agentTaskComplete: 'agent_task_complete',
  agentTaskAcknowledge: 'agent_task_acknowledge',
  agentJob: 'agent_job',
  agentJobAck: 'agent_job_ack',
  agentJobReply: 'agent_job_reply',
  agentJobReplyAck: 'agent_job_reply_ack',
  /** Ours, agent to gateway, on the control channel. */
  agentSessions: 'agent_sessions',
  /** Ours, gateway to client, once `Sallyport/1` is agreed. */
  sessionNotice: 'session_notice',
} as const

/** PayloadType of stream messages (data-plane.md 4). */
export const PayloadType = {
  none: 0,
  output: 1,
  error: 2,
  size: 3,
  parameter: 4,
  handshakeRequest: 5,
  handshakeResponse: 6,
  handshakeComplete: 7,
  encryptionChallengeRequest: 8,
  encryptionChallengeResponse: 9,
  flag: 10,
  stderr: 11,
  exitCode: 12,
} as const

/** Value of a Flag payload, a big-endian uint32 (data-plane.md 4). */
export const PayloadFlag = {
  disconnectToPort: 1,
  terminateSession: 2,
  connectToPortError: 3,
  // Ours, from 256 up: only after Sallyport/1 was agreed. From the client to the agent:
  /** No more input: closes a command's stdin, half-closes a raw connection. */
  endOfInput: 256,
  /** SIGINT for the command, and so on. */
  interrupt: 257,
  quit: 258,
  terminate: 259,
  hangUp: 260,
  // From the agent to the client:
  /** A command has taken another `INPUT_STEP` of its input (input-credit.ts). */
  inputRoom: 261,
} as const

/** Bits of the envelope's Flags field; nobody reads them, but stock peers write them so (data-plane.md 2.4). */
export const MessageFlag = {
  none: 0,
  syn: 1,
  synFin: 3,
} as const
