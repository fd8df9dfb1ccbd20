import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeUtf8, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { decodeMessage } from './message.ts'
import {
  agentJobAckPayload,
  agentJobReplyAckPayload,
  type CommandReply,
  cancelContent,
  commandContent,
  decodeAgentJob,
  decodeAgentJobReply,
  documentStatuses,
  encodeAgentJob,
  encodeAgentJobReply,
  encodeAgentJobReplyAck,
  jobIdOf,
  readCommandReply,
  readJobId,
  type StepReply,
  writeCommandReply,
} from './run-command.ts'
import { nodeCrypto } from './transport/node-crypto.ts'

const NOW = 1_706_702_400_000
const MESSAGE = '3f1d7b61-5f31-4b0e-9a55-6f6c6fbb1b01'
const COMMAND = '55b78ece-7a7f-4198-aaf4-d8c8a3e960e6'
const NODE = 'mi-0123456789abcdef0'
const JOB = `aws.ssm.${COMMAND}.${NODE}`

// data-plane.md 8.1
const sendText = String.raw`{"SchemaVersion":1,"JobId":"aws.ssm.55b78ece-7a7f-4198-aaf4-d8c8a3e960e6.mi-0123456789abcdef0","Topic":"aws.ssm.sendCommand.us.east.1","Content":"{\"CommandId\":\"55b78ece-7a7f-4198-aaf4-d8c8a3e960e6\"}"}`
const contentText =
  '{"Parameters":{"commands":["echo hello"],"workingDirectory":"","executionTimeout":"3600"},"DocumentContent":{"schemaVersion":"1.2","description":"…","runtimeConfig":{"aws:runShellScript":{"properties":[{"id":"0.aws:runShellScript","runCommand":"{{ commands }}"}]}},"parameters":{}},"CommandId":"55b78ece-7a7f-4198-aaf4-d8c8a3e960e6","DocumentName":"AWS-RunShellScript","OutputS3KeyPrefix":"","OutputS3BucketName":"","CloudWatchLogGroupName":"","CloudWatchOutputEnabled":"false"}'
// data-plane.md 8.3
const ackText =
  '{"jobId":"aws.ssm.55b78ece-7a7f-4198-aaf4-d8c8a3e960e6.mi-0123456789abcdef0","acknowledgedMessageId":"3f1d7b61-5f31-4b0e-9a55-6f6c6fbb1b01","createdDate":"2023-11-14T22:13:20.000Z","statusCode":"200","errorMessage":"Successful"}'
// data-plane.md 8.4
const replyText =
  '{"additionalInfo":{"agent":{"lang":"en-US","name":"amazon-ssm-agent","os":"…","osver":"1","ver":"3.3.0.0"},"dateTime":"2024-01-31T12:00:00.000Z","runId":"","runtimeStatusCounts":{"Success":1}},"documentStatus":"Success","documentTraceOutput":"","runtimeStatus":{"aws:runShellScript":{"status":"Success","code":0,"name":"aws:runShellScript","output":"hello\\n","startDateTime":"2024-01-31T12:00:00.961Z","endDateTime":"2024-01-31T12:00:01.000Z","outputS3BucketName":"","outputS3KeyPrefix":"","stepName":"","standardOutput":"hello\\n","standardError":""}}}'
const helloReply: CommandReply = {
  status: 'Success',
  trace: '',
  steps: [
    {
      name: 'aws:runShellScript',
      status: 'Success',
      code: 0,
      output: 'hello\n',
      standardOutput: 'hello\n',
      standardError: '',
      startedAt: Date.UTC(2024, 0, 31, 12, 0, 0, 961),
      endedAt: Date.UTC(2024, 0, 31, 12, 0, 1),
    },
  ],
}

describe('a job', () => {
  test('is written as AWS writes it', () => {
    const content = JSON.stringify({ CommandId: COMMAND })
    const frame = encodeAgentJob(nodeCrypto, NOW, MESSAGE, {
      jobId: JOB,
      topic: 'aws.ssm.sendCommand.us.east.1',
      content,
    })
    const message = decodeMessage(nodeCrypto, frame)
    expect(message).toMatchObject({
      messageType: 'agent_job',
      messageId: MESSAGE,
      createdDate: NOW,
      sequenceNumber: 0,
      payloadType: 0,
    })
    expect(decodeUtf8(message.payload)).toBe(sendText)
    expect(decodeAgentJob(message.payload)).toEqual({
      jobId: JOB,
      topic: 'aws.ssm.sendCommand.us.east.1',
      content,
    })
  })

  test('has a content with the types on which a stock agent insists', () => {
    const content = commandContent.decode(utf8(contentText))
    expect(content).toMatchObject({ CommandId: COMMAND, CloudWatchOutputEnabled: 'false' })
    expect(JSON.parse(decodeUtf8(commandContent.encode(content)))).toEqual(JSON.parse(contentText))
    const wrong = contentText.replace('"CloudWatchOutputEnabled":"false"', '"CloudWatchOutputEnabled":false')
    expect(() => commandContent.decode(utf8(wrong))).toThrow(/CloudWatchOutputEnabled .* is a boolean/)
    expect(decodeUtf8(cancelContent.encode({ CancelMessageId: JOB }))).toBe(`{"CancelMessageId":"${JOB}"}`)
  })

  test('has an id from which command and node can be read, and nothing else can', () => {
    expect(jobIdOf(COMMAND, NODE)).toBe(JOB)
    expect(readJobId(JOB)).toEqual({ commandId: COMMAND, nodeId: NODE })
    const others = [
      '',
      COMMAND,
      `aws.ssm.${COMMAND}`,
      `aws.ssm..${NODE}`,
      `aws.ssm.a.b.${NODE}`,
      `${JOB}.`,
      `x${JOB}`,
      `${JOB}\nx.y`,
      `aws.ssm.${'a'.repeat(300)}.${NODE}`,
    ]
    for (const id of others) expect(readJobId(id), id).toBeUndefined()
  })

  test('has an acknowledgement with a status code that is text', () => {
    expect(agentJobAckPayload.decode(utf8(ackText))).toEqual({
      jobId: JOB,
      acknowledgedMessageId: MESSAGE,
      createdDate: '2023-11-14T22:13:20.000Z',
      statusCode: '200',
      errorMessage: 'Successful',
    })
    expect(decodeUtf8(agentJobAckPayload.encode(agentJobAckPayload.decode(utf8(ackText))))).toBe(ackText)
    expect(() => agentJobAckPayload.decode(utf8(ackText.replace('"200"', '200')))).toThrow(/statusCode/)
    expect(() => agentJobAckPayload.decode(utf8('{"jobId":"x"}'))).toThrow(/lacks statusCode/)
  })
})

describe('a reply', () => {
  test('goes in an envelope, and its acknowledgement names the message', () => {
    const reply = { jobId: JOB, topic: 'aws.ssm.sendCommand', content: replyText }
    const message = decodeMessage(nodeCrypto, encodeAgentJobReply(nodeCrypto, NOW, MESSAGE, reply))
    expect(message).toMatchObject({ messageType: 'agent_job_reply', messageId: MESSAGE })
    expect(JSON.parse(decodeUtf8(message.payload))).toEqual({
      schemaVersion: 1,
      jobId: JOB,
      content: replyText,
      topic: 'aws.ssm.sendCommand',
    })
    expect(decodeAgentJobReply(message.payload)).toEqual(reply)
    const ack = decodeMessage(nodeCrypto, encodeAgentJobReplyAck(nodeCrypto, NOW, MESSAGE, JOB))
    expect(ack.messageType).toBe('agent_job_reply_ack')
    expect(decodeUtf8(ack.payload)).toBe(`{"jobId":"${JOB}","acknowledgedMessageId":"${MESSAGE}"}`)
    expect(agentJobReplyAckPayload.decode(ack.payload).acknowledgedMessageId).toBe(MESSAGE)
  })

  test('is read as a stock agent writes it, and written so that it reads the same', () => {
    expect(readCommandReply(replyText)).toEqual(helloReply)
    const { additionalInfo } = JSON.parse(replyText)
    expect(JSON.parse(writeCommandReply(helloReply, additionalInfo))).toEqual(JSON.parse(replyText))
  })

  test('before the first step ends names none, as null', () => {
    const text = '{"documentStatus":"InProgress","documentTraceOutput":"","runtimeStatus":null}'
    expect(readCommandReply(text)).toEqual({ status: 'InProgress', trace: '', steps: [] })
  })

  test('tells no time for what has not happened: the year 1 of Go, nonsense, nothing', () => {
    for (const time of ['0001-01-01T00:00:00.000Z', 'yesterday evening', '']) {
      const text = replyText.replace('2024-01-31T12:00:01.000Z', time)
      expect(readCommandReply(text).steps[0]?.endedAt, time).toBeUndefined()
    }
  })

  test('has codes of 32 bits, those of Windows with their sign', () => {
    const codes = { 137: 137, '-1': -1, 3221225477: -1073741819, 1e300: 0, '0.5': 0, null: 0 }
    for (const [code, read] of Object.entries(codes)) {
      expect(readCommandReply(replyText.replace('"code":0', `"code":${code}`)).steps[0]?.code).toBe(read)
    }
  })

  test('is cut where agents cut it, and holds no character that a database does not take', () => {
    const step = { ...helloReply.steps[0], name: 's', output: '\0', standardError: 'a\ud800', code: 0 }
    const long = { status: 'Failed', trace: 't'.repeat(1e5), steps: [step as StepReply] } as const
    const [read] = readCommandReply(
      writeCommandReply(
        { ...long, steps: [{ ...long.steps[0], standardOutput: `${'x'.repeat(23_999)}😀` }] } as CommandReply,
        {},
      ),
    ).steps
    expect(readCommandReply(writeCommandReply(long, {})).trace).toHaveLength(2_500)
    expect(read?.standardOutput).toBe(`${'x'.repeat(23_999)}\ufffd`)
    expect([read?.output, read?.standardError]).toEqual(['?', 'a\ufffd'])
  })

  const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`s${i}`, { status: 'Success' }]))
  test.each([
    ['', /not valid JSON/],
    ['[]', /not a JSON object/],
    ['{}', /lacks documentStatus/],
    ['{"documentStatus":"Done"}', /"Done" is not the status/],
    ['{"documentStatus":"InProgress","runtimeStatus":"abc"}', /runtimeStatus/],
    ['{"documentStatus":"InProgress","runtimeStatus":[{"status":"Success"}]}', /runtimeStatus/],
    ['{"documentStatus":"InProgress","runtimeStatus":7}', /runtimeStatus/],
    ['{"documentStatus":"InProgress","runtimeStatus":{"a":null}}', /step of a reply is not a JSON object/],
    ['{"documentStatus":"InProgress","runtimeStatus":{"a":{"status":"?"}}}', /"\?" is not the status/],
    [
      '{"documentStatus":"InProgress","runtimeStatus":{"a":{"status":"Failed","code":"1"}}}',
      /code .* string/,
    ],
    [JSON.stringify({ documentStatus: 'Success', runtimeStatus: many }), /1001 steps/],
    [
      JSON.stringify({
        documentStatus: 'Success',
        runtimeStatus: { ['n'.repeat(257)]: { status: 'Failed' } },
      }),
      /name of a step/,
    ],
    [JSON.stringify({ documentStatus: 'Success', x: 'x'.repeat(600_000) }), /more than/],
  ])('%.60s is refused with its reason', (text, message) => {
    expect(() => readCommandReply(text)).toThrow(
      expect.objectContaining({ name: 'ProtocolError', message: expect.stringMatching(message) }),
    )
  })
})

// A second reader, straight from control-plane.md 10.2, for what a well-behaved agent may send.
function naive(text: string): unknown {
  const json = JSON.parse(text)
  const time = (iso: string) => (new Date(iso).getTime() > 0 ? new Date(iso).getTime() : undefined)
  const steps = Object.keys(json.runtimeStatus).map(name => {
    const step = json.runtimeStatus[name]
    return {
      name,
      status: step.status,
      code: step.code,
      output: step.output.substring(0, 2500),
      standardOutput: step.standardOutput.substring(0, 24000),
      standardError: step.standardError.substring(0, 24000),
      startedAt: time(step.startDateTime),
      endedAt: time(step.endDateTime),
    }
  })
  return { status: json.documentStatus, trace: json.documentTraceOutput.substring(0, 2500), steps }
}

const status = fc.constantFrom(...documentStatuses)
const text = fc.string({ maxLength: 40 }).map(some => some.replaceAll('\0', ''))
const time = fc.option(fc.integer({ min: 1, max: 4e12 }), { nil: undefined })
const step: fc.Arbitrary<StepReply> = fc.record({
  name: fc.string({ minLength: 1, maxLength: 40 }),
  status,
  code: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  output: text,
  standardOutput: text,
  standardError: text,
  startedAt: time,
  endedAt: time,
})
const reply: fc.Arbitrary<CommandReply> = fc.record({
  status,
  trace: text,
  steps: fc.uniqueArray(step, { selector: ({ name }) => name, maxLength: 5 }),
})

describe('any reply', () => {
  test('reads the same here and by a second reader', () => {
    const byName = (steps: readonly StepReply[]) => [...steps].sort((a, b) => (a.name < b.name ? -1 : 1))
    fc.assert(
      fc.property(reply, written => {
        const wire = writeCommandReply(written, {})
        const read = readCommandReply(wire)
        expect(read).toEqual(naive(wire))
        // JSON puts keys that look like numbers first.
        expect({ ...read, steps: byName(read.steps) }).toEqual({ ...written, steps: byName(written.steps) })
      }),
    )
  })

  test('is read or refused, whatever an agent may send', () => {
    const hostile = fc.record(
      {
        documentStatus: fc.oneof(status, fc.jsonValue()),
        documentTraceOutput: fc.jsonValue(),
        runtimeStatus: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          hostile.map(value => JSON.stringify(value)),
        ),
        sent => {
          try {
            readCommandReply(sent)
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError)
          }
        },
      ),
    )
  })
})
