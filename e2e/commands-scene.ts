/** People who send commands, and what became of those. */
import { vi } from 'vitest'
import { call } from './hostile-peer.ts'
import type { Stack } from './stack.ts'

export const WAIT = { timeout: 20_000, interval: 10 }
export const STEP = 'aws:runShellScript'
const ENDED = /^(Success|Failed|TimedOut|Cancelled)$/

export type Fields = Record<string, unknown>

export const script = (name: string, ...runCommand: string[]) => ({
  action: STEP,
  name,
  inputs: { runCommand },
})

/** As the administrator of a stack. */
export function commandsOn(stack: () => Stack) {
  async function ask(operation: string, input: object): Promise<Fields> {
    const { status, body } = await call(stack(), operation, input)
    if (status !== 200) throw new Error(`${operation}: ${body}`)
    return JSON.parse(body)
  }

  async function sendTo(nodeId: string, commands: string[], more: Fields = {}): Promise<string> {
    const parameters = { Parameters: { commands } }
    const input = { InstanceIds: [nodeId], DocumentName: 'AWS-RunShellScript', ...parameters, ...more }
    const { Command } = await ask('SendCommand', input)
    return (Command as { CommandId: string }).CommandId
  }

  async function author(name: string, mainSteps: object[], parameters: object = {}): Promise<string> {
    const Content = JSON.stringify({ schemaVersion: '2.2', parameters, mainSteps })
    await ask('CreateDocument', { Name: name, DocumentType: 'Command', Content })
    return name
  }

  const invocation = (CommandId: string, InstanceId: string, more: Fields = {}) =>
    ask('GetCommandInvocation', { CommandId, InstanceId, ...more })

  async function ended(commandId: string, nodeId = stack().node.id): Promise<Fields[]> {
    const input = { CommandId: commandId, InstanceId: nodeId, Details: true }
    const find = async () => {
      const { CommandInvocations } = await ask('ListCommandInvocations', input)
      const [found] = CommandInvocations as Fields[]
      return ENDED.test(String(found?.Status)) ? found : undefined
    }
    const found = await vi.waitUntil(find, WAIT)
    return (found as { CommandPlugins: Fields[] }).CommandPlugins
  }

  return { ask, sendTo, author, invocation, ended }
}
