import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { JobAckCode } from '@sallyport/protocol/run-command'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { expect, onTestFinished, test } from 'vitest'
import { runDocument } from './run-document.ts'
import { eventually, openNode } from './testing-node.ts'

const shell = (...runCommand: string[]) => ({
  schemaVersion: '2.2',
  mainSteps: [{ action: 'aws:runShellScript', name: 'shell', inputs: { runCommand } }],
})

/** An agent that really runs things, and a server that keeps their output. */
async function realNode(node = openNode()) {
  const kept: Record<string, Buffer> = {}
  const call = async (_: string, input: object): Promise<unknown> => {
    const { Stream, Offset, Content } = input as { Stream: string; Offset: number; Content: string }
    const before = kept[Stream] ?? Buffer.alloc(0)
    kept[Stream] = Buffer.concat([before, Buffer.from(Content, 'base64').subarray(before.length - Offset)])
    return { NextOffset: kept[Stream].length, Full: false }
  }
  const agent = await node.live({ run: runDocument, clock: nodeClock, server: { call } }).start()
  onTestFinished(() => agent.commands.stop())
  return { node, agent, kept, id: crypto.randomUUID() as string }
}

/** A zombie is dead, whoever has not yet heard of it. */
function isAlive(pid: number): boolean {
  const status = existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : 'State: X'
  return !/^State:\s+[XZ]/m.test(status)
}

test('a script is run, and its output and exit code are reported', async () => {
  const { agent, id } = await realNode()
  agent.document(id, shell('echo out; echo err >&2', 'exit 3'))
  expect(await agent.result(id)).toMatchObject({
    status: 'Failed',
    steps: [{ name: 'shell', status: 'Failed', code: 3, standardOutput: 'out\n' }],
  })
  expect((await agent.result(id)).steps[0]?.standardError).toMatch(/^err\n/)
})

test('output is uploaded whole, and is with the server before the result', async () => {
  const { agent, id, kept } = await realNode()
  agent.document(id, shell('seq 1 100000'))
  const { steps } = await agent.result(id)
  const text = Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join('')
  expect(kept.stdout?.toString() === text).toBe(true)
  expect(steps[0]?.standardOutput.length).toBeLessThanOrEqual(24_000)
})

test('a cancelled command is killed with all that it has started', async () => {
  const { node, agent, id } = await realNode()
  const pidFile = join(node.directory, 'pid')
  agent.document(id, shell(`sleep 1000 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait`))
  await eventually(() => existsSync(pidFile)).toBe(true)
  const pid = Number(readFileSync(pidFile, 'utf8'))
  expect(isAlive(pid)).toBe(true)
  expect(await agent.code(agent.cancel(id))).toBe(JobAckCode.accepted)
  const result = await agent.result(id)
  expect(result).toMatchObject({ status: 'Cancelled', steps: [{ status: 'Cancelled', code: 137 }] })
  expect(isAlive(pid)).toBe(false)
})

test('an agent that stops leaves nothing running, and the next one says so', async () => {
  const { node, agent, id } = await realNode()
  const pidFile = join(node.directory, 'pid')
  agent.document(id, shell(`echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; sleep 1000`))
  await eventually(() => existsSync(pidFile)).toBe(true)
  await agent.commands.stop()
  expect(isAlive(Number(readFileSync(pidFile, 'utf8')))).toBe(false)
  const next = await realNode(node)
  expect(await next.agent.result(id)).toMatchObject({
    status: 'Failed',
    trace: 'The agent on the node was stopped.',
  })
})
