import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ManualClock } from '@sallyport/protocol/manual-clock'
import { decodeMessage } from '@sallyport/protocol/message'
import { decodeAgentJobReply } from '@sallyport/protocol/run-command'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { expect, onTestFinished, test } from 'vitest'
import { CommandRecords, RESULT, replyFile } from './command-records.ts'
import { Replies } from './replies.ts'
import { eventually, NODE } from './testing-node.ts'

const ID = '55b78ece-7a7f-4198-aaf4-d8c8a3e960e6'
const JOB = { acceptedAt: 1, atOnce: true, boot: 'boot', content: '' }

async function openReplies() {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-replies-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const records = new CommandRecords(directory)
  await records.accept(ID, JOB)
  const clock = new ManualClock()
  const log: string[] = []
  const replies = new Replies({ records, nodeId: NODE, clock, log: message => log.push(message) })
  const sent: Array<{ messageId: string; content: string }> = []
  const connect = () =>
    replies.connected(frame => {
      const { messageId, payload } = decodeMessage(nodeCrypto, frame)
      sent.push({ messageId, content: decodeAgentJobReply(payload).content })
    })
  const add = (number: number) => replies.add(ID, replyFile(number), `reply ${number}`)
  return {
    directory,
    records,
    clock,
    log,
    replies,
    sent,
    connect,
    add,
    contents: () => sent.map(one => one.content),
  }
}

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `reply ${from + i}`)

test('what gathered while there was no connection is sent in order, only so much of it unanswered', async () => {
  const { replies, sent, connect, add, contents } = await openReplies()
  for (let number = 1; number <= 40; number++) await add(number)
  connect()
  await eventually(contents).toEqual(numbered(1, 32))
  await add(41)
  for (const { messageId } of [...sent]) replies.acknowledged(messageId)
  await eventually(contents).toEqual(numbered(1, 41))
})

test('the unanswered are sent again after a while, the others when there is room, on each connection anew', async () => {
  const { replies, sent, clock, connect, add, contents } = await openReplies()
  connect()
  await add(1)
  await add(2)
  replies.acknowledged(sent[0]?.messageId ?? '')
  clock.advance(4_999)
  expect(sent).toHaveLength(2)
  clock.advance(1)
  await eventually(contents).toEqual(['reply 1', 'reply 2', 'reply 2'])
  replies.disconnected()
  clock.advance(60_000)
  connect()
  await eventually(contents).toEqual(['reply 1', 'reply 2', 'reply 2', 'reply 2'])
  expect(new Set(sent.map(one => one.messageId)).size).toBe(2)
})

test('a reply that the disk does not take is sent all the same', async () => {
  const { directory, replies, sent, clock, connect, log, contents } = await openReplies()
  rmSync(directory, { recursive: true })
  connect()
  await replies.add(ID, RESULT, 'result')
  clock.advance(5_000)
  await eventually(contents).toEqual(['result', 'result'])
  expect(log).toEqual(['cannot keep a reply'])
  expect(sent[0]?.messageId).toBe(sent[1]?.messageId)
})

test('replies of a command that is forgotten are not sent', async () => {
  const { records, replies, connect, add, contents, clock } = await openReplies()
  await add(1)
  await add(2)
  replies.forget(ID)
  const other = ID.replace('5', '6')
  await records.accept(other, JOB)
  await replies.add(other, RESULT, 'other')
  connect()
  await eventually(contents).toEqual(['other'])
  clock.advance(5_000)
  await eventually(contents).toEqual(['other', 'other'])
})
