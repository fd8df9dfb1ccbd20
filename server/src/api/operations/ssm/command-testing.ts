// What the tests of commands share.

import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import type { DocumentStatus, StepReply } from '@sallyport/protocol/run-command'
import { testScope as scope } from '@sallyport/server/store/testing'
import type { Answer, ApiForTest } from '../../testing.ts'

export const SHELL = 'AWS-RunShellScript'
/** How nodes call the one step of SHELL. */
export const STEP = 'aws:runShellScript'
export const NO_COMMAND = '00000000-0000-4000-8000-000000000000'
export const NO_NODE = 'mi-00000000000000000'

const TWO_STEPS = JSON.stringify({
  schemaVersion: '2.2',
  mainSteps: ['first', 'second'].map(name => ({
    action: 'aws:runShellScript',
    name,
    inputs: { runCommand: ['true'] },
  })),
})

export type Row = Record<string, unknown>

export const tag = (Key: string, Value: string) => ({ Key, Value })

export const allow = (
  Action: string | string[],
  Resource: string | string[] = '*',
  Condition: object = {},
): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource, Condition }] })

export const nodeArn = (id: string) => `arn:aws:ssm:${scope.region}:${scope.accountId}:managed-instance/${id}`

/** People who send commands, and nodes that carry them out. */
export function commandsIn(api: () => ApiForTest) {
  let users = 0

  /** The shell document, unless the input says otherwise. */
  const send = (input: Row, credentials?: Credentials): Promise<Answer> =>
    api().call(
      'SendCommand',
      { DocumentName: SHELL, Parameters: { commands: ['uptime'] }, ...input },
      credentials,
    )

  /** The id of a command that was sent to these nodes. */
  const sent = async (nodes: string[], input: Row = {}): Promise<string> => {
    const { body, code, message } = await send({ InstanceIds: nodes, ...input })
    if (code !== undefined) throw new Error(`${code}: ${message}`)
    return (body.Command as { CommandId: string }).CommandId
  }

  const accept = (commandId: string, nodeId: string) =>
    api().commands.accepted(nodeId, { kind: 'command', commandId })

  const step = (name: string, status: DocumentStatus, more: Partial<StepReply> = {}): StepReply => {
    const times = { startedAt: api().now, endedAt: api().now + 1234 }
    return { name, status, code: 0, output: '', standardOutput: '', standardError: '', ...times, ...more }
  }

  const reply = (commandId: string, nodeId: string, status: DocumentStatus, ...steps: StepReply[]) =>
    api().commands.reported(nodeId, commandId, { status, trace: '', steps })

  return {
    send,
    sent,
    accept,
    step,
    reply,

    user: (...policies: string[]): Promise<Credentials> => api().user(`sender-${++users}`, { policies }),

    /** Ends a command on a node in the usual way. */
    finish: async (commandId: string, nodeId: string, more: Partial<StepReply> = {}): Promise<void> => {
      const status = more.status ?? 'Success'
      await accept(commandId, nodeId)
      await reply(commandId, nodeId, status, step(STEP, status, more))
    },

    /** Makes a document of the steps `first` and `second`. */
    twoSteps: () =>
      api().ok('CreateDocument', { Name: 'TwoSteps', DocumentType: 'Command', Content: TWO_STEPS }),

    /** Until somebody waits for news of a command. */
    isWaiting: async (): Promise<void> => {
      while (api().commandWatches.size === 0) await new Promise(resolve => setImmediate(resolve))
    },
  }
}
