import { encodeAgentJobReply, jobIdOf, readCommandReply, SEND_TOPIC } from '@sallyport/protocol/run-command'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { expect, test } from 'vitest'
import { replyContent } from './reply-content.ts'
import { NODE, stepReply } from './testing-node.ts'

const NOW = Date.UTC(2026, 0, 2)
/** What a gateway takes on a control channel. */
const CONTROL_FRAME = 256 * 1024

test('reads as the reply of an agent', () => {
  const reply = { status: 'Failed' as const, trace: 'why', steps: [stepReply('one', 'Failed', 3)] }
  const text = replyContent(reply, NOW, ['Success', 'Failed', 'Success'])
  expect(readCommandReply(text)).toEqual(reply)
  expect(JSON.parse(text).additionalInfo).toMatchObject({
    agent: { name: 'sallyport-agent', os: 'linux' },
    dateTime: '2026-01-02T00:00:00.000Z',
    runtimeStatusCounts: { Success: 2, Failed: 1 },
  })
  const first = replyContent({ status: 'InProgress', trace: '', steps: [] }, NOW, [])
  expect(JSON.parse(first).additionalInfo.runtimeStatusCounts).toBe(null)
})

test('fits into a frame, whatever was printed', () => {
  for (const character of ['x', '"', '\\', '\u0001', '\ud800', '\u4e2d', '😀']) {
    const text = character.repeat(24_000).slice(0, 24_000)
    const step = {
      ...stepReply('one'),
      output: text.slice(0, 2_500),
      standardOutput: text,
      standardError: text,
    }
    const content = replyContent({ status: 'Success', trace: '', steps: [step] }, NOW, ['Success'])
    const jobId = jobIdOf('55b78ece-7a7f-4198-aaf4-d8c8a3e960e6', NODE)
    const reply = { jobId, topic: SEND_TOPIC, content }
    const frame = encodeAgentJobReply(nodeCrypto, NOW, '11111111-1111-4111-8111-111111111111', reply)
    expect(frame.length).toBeLessThan(CONTROL_FRAME)
    const [read] = readCommandReply(content).steps
    const kept = (read?.standardOutput.length ?? 0) + (read?.standardError.length ?? 0)
    expect(kept).toBeGreaterThan(character === 'x' ? 47_999 : 20_000)
  }
})
