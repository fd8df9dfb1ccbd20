import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { JobAckCode, jobIdOf } from '@sallyport/protocol/run-command'
import { expect, onTestFinished, test, vi } from 'vitest'
import { eventually, NODE, openNode } from './testing-node.ts'

/** As a full disk does: names can be made, and nothing is written. */
function fillDisk(): () => void {
  const full = vi.spyOn(promises, 'writeFile').mockRejectedValue(new Error('ENOSPC: no space left on device'))
  syncBuiltinESMExports()
  const empty = () => {
    full.mockRestore()
    syncBuiltinESMExports()
  }
  onTestFinished(empty)
  return empty
}

test('a full disk: a command is refused, and taken when there is room again', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const id = crypto.randomUUID()
  const empty = fillDisk()
  agent.command(id)
  expect(await agent.code(jobIdOf(id, NODE))).toBe(JobAckCode.internal)
  expect(node.has(id)).toBe(false)
  empty()
  agent.acks.length = 0
  agent.command(id)
  expect(await agent.code(jobIdOf(id, NODE))).toBe(JobAckCode.accepted)
  await agent.running(id)
})

test('a full disk: what runs can be cancelled, and its result is told from memory', async () => {
  const node = openNode()
  const agent = await node.live().start()
  const id = crypto.randomUUID()
  agent.command(id)
  await agent.running(id)
  const empty = fillDisk()
  expect(await agent.code(agent.cancel(id))).toBe(JobAckCode.internal)
  const result = await agent.result(id)
  expect(result).toMatchObject({ status: 'Cancelled', steps: [{ code: 137 }] })
  empty()
  agent.acknowledge(result)
  await eventually(() => node.has(id, 'acknowledged')).toBe(true)
  const next = await node.live().start()
  next.command(id)
  expect(await next.code(jobIdOf(id, NODE))).toBe(JobAckCode.duplicate)
  expect(next.runs).toEqual([])
})
