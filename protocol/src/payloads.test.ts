import { describe, expect, test } from 'vitest'
import { decodeUtf8, fromHex, toHex, utf8 } from './bytes.ts'
import { PayloadFlag } from './message-types.ts'
import {
  acknowledgePayload,
  channelClosedPayload,
  decodeExitCode,
  decodeFlag,
  decodeSize,
  encodeExitCode,
  encodeFlag,
  encodeSize,
  openControlChannel,
  openDataChannel,
  sessionStatePayload,
} from './payloads.ts'

describe('JSON payloads, in the words of stock peers', () => {
  const acknowledge =
    '{"AcknowledgedMessageType":"input_stream_data","AcknowledgedMessageId":"01234567-89ab-4cde-8f01-23456789abcd","AcknowledgedMessageSequenceNumber":3,"IsSequentialMessage":true}'

  test('acknowledge, with nothing of ours in it unless agreed (data-plane.md 22.2)', () => {
    const read = acknowledgePayload.decode(utf8(acknowledge))
    expect(read.AcknowledgedMessageSequenceNumber).toBe(3)
    expect(read.AcknowledgedThrough).toBeUndefined()
    expect(decodeUtf8(acknowledgePayload.encode(read))).toBe(acknowledge)
    expect(decodeUtf8(acknowledgePayload.encode({ ...read, AcknowledgedThrough: 3 }))).toBe(
      acknowledge.replace('}', ',"AcknowledgedThrough":3}'),
    )
  })

  test.each([
    [
      sessionStatePayload,
      '{"SchemaVersion":1,"SessionState":"Connected","SessionId":"alice-0a1b2c3d4e5f67890"}',
    ],
    [
      channelClosedPayload,
      '{"MessageType":"channel_closed","MessageId":"01234567-89ab-4cde-8f01-23456789abcd","DestinationId":"i-0123456789abcdef0","SessionId":"alice-0a1b2c3d4e5f67890","SchemaVersion":1,"CreatedDate":"2024-01-31T12:00:00.000Z","Output":""}',
    ],
    [
      openDataChannel,
      '{"MessageSchemaVersion":"1.0","RequestId":"r","TokenValue":"t","ClientInstanceId":"i-0123456789abcdef0","ClientId":""}',
    ],
    [
      openDataChannel,
      '{"MessageSchemaVersion":"1.0","RequestId":"r","TokenValue":"t","ClientId":"c","ClientVersion":"1.2.0.0"}',
    ],
  ] as Array<[{ decode(bytes: Uint8Array): object; encode(value: never): Uint8Array }, string]>)(
    'read and written alike: %#',
    (payload, text) => {
      expect(decodeUtf8(payload.encode(payload.decode(utf8(text)) as never))).toBe(text)
    },
  )

  test('OpenControlChannel has a Cookie that is null (data-plane.md 6.4)', () => {
    const text =
      '{"Cookie":null,"MessageSchemaVersion":"1.0","RequestId":"r","TokenValue":"t","AgentVersion":"3.3.0.0","PlatformType":"linux"}'
    const read = openControlChannel.decode(utf8(text))
    expect(decodeUtf8(openControlChannel.encode({ ...read, Cookie: null }))).toBe(text)
  })
})

describe('Size', () => {
  test('reads and writes as a stock plugin does', () => {
    expect(decodeUtf8(encodeSize({ cols: 80, rows: 24 }))).toBe('{"cols":80,"rows":24}')
    expect(decodeSize(utf8('{"rows":0,"cols":65535}'))).toEqual({ cols: 65_535, rows: 0 })
  })

  test.each([
    '{"cols":-1,"rows":24}',
    '{"cols":80.5,"rows":24}',
    '{"cols":80,"rows":65536}',
    '{"cols":1e308,"rows":1}',
  ])('no terminal has %s', text => {
    expect(() => decodeSize(utf8(text))).toThrow(expect.objectContaining({ code: 'bad-payload' }))
  })
})

describe('Flag and ExitCode', () => {
  test('a flag is a big-endian number of four bytes', () => {
    expect(toHex(encodeFlag(PayloadFlag.connectToPortError))).toBe('00000003')
    expect(decodeFlag(fromHex('ffffffff'))).toBe(0xffffffff)
  })

  test.each(['', '03', '000003', '0000000003'])('%j is no flag', hex => {
    expect(() => decodeFlag(fromHex(hex))).toThrow(expect.objectContaining({ code: 'bad-payload' }))
  })

  test.each([0, 1, 255, -1, 2_147_483_647])('an exit code of %d is text', exitCode => {
    expect(decodeUtf8(encodeExitCode(exitCode))).toBe(`EXIT_CODE: ${exitCode}`)
    expect(decodeExitCode(encodeExitCode(exitCode))).toBe(exitCode)
  })

  test.each(['', 'EXIT_CODE: ', 'EXIT_CODE: 1\n', 'EXIT_CODE: 0x1', 'EXIT_CODE: 99999999999', 'exit 1'])(
    '%j is no exit code',
    text => {
      expect(() => decodeExitCode(utf8(text))).toThrow(expect.objectContaining({ code: 'bad-payload' }))
    },
  )
})
