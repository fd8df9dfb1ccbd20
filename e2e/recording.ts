import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { WireRecord } from './wire-tap.ts'

/**
 * What one program sent, message after message, as it was seen on the wire. `{names}` in braces stand for what is
 * different each time. Payloads that are not text are in hex.
 */
export type Recording = {
  /** The program and its version. */
  program: string
  messages: RecordedMessage[]
}

export type RecordedFrame = {
  headerLength: number
  /** With its padding. */
  messageType: string
  schemaVersion: number
  sequenceNumber: number
  flags: number
  payloadType: number
  payload?: string
  payloadHex?: string
}

export type RecordedMessage =
  | { http: string[]; body: string }
  | { text: string }
  | { ping: string }
  | { frame: RecordedFrame }

const folder = join(dirname(fileURLToPath(import.meta.url)), 'recordings')

/** One line says which program it was, the others are its messages. */
export function readRecording(name: string): Recording {
  const [first = '', ...lines] = readFileSync(fileOf(name), 'utf8').trimEnd().split('\n')
  return { program: JSON.parse(first).program, messages: lines.map(line => JSON.parse(line)) }
}

export function writeRecording(name: string, { program, messages }: Recording): void {
  const lines = [{ program }, ...messages].map(line => `${JSON.stringify(line)}\n`)
  writeFileSync(fileOf(name), lines.join(''))
}

function fileOf(name: string): string {
  return join(folder, `${name}.jsonl`)
}

/** What is different each time, and the name that stands for it; longer ones first where one contains another. */
export type Names = ReadonlyArray<readonly [string | RegExp, string]>

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
const ALWAYS: Names = [
  [member('ActivationId', UUID), '{activationId}'],
  [member('Fingerprint', UUID), '{fingerprint}'],
  [member('ClientId', UUID), '{clientId}'],
  [member('ActivationCode'), '{activationCode}'],
  [member('PublicKey'), '{publicKey}'],
  [member('TokenValue'), '{token}'],
  [member('ComputerName'), '{computerName}'],
  [member('IPAddress'), '{ipAddress}'],
  [member('PlatformName'), '{platformName}'],
  [member('PlatformVersion'), '{platformVersion}'],
  [member('portNumber', '\\d{2,}'), '{port}'],
  [/(?<="HandshakeTimeToComplete":)\d+/g, '{nanoseconds}'],
  [new RegExp(UUID, 'g'), '{uuid}'],
  [/(?<=X-Amz-Date: )\w+/g, '{date}'],
  [/(?<=X-Amz-Security-Token: )\S+/g, '{sessionToken}'],
  [/(?<=X-Amz-Content-Sha256: )\w+/g, '{sha256}'],
  [/(?<=Credential=\{node\}\/)\d{8}/g, '{day}'],
  [/(?<=Credential=)\w+\/\d{8}/g, '{accessKeyId}/{day}'],
  [/(?<=Signature=)\S+/g, '{signature}'],
  [/(?<=Sec-WebSocket-Key: )\S+/g, '{key}'],
  [/(?<=Content-Length: )\d+/g, '{length}'],
]

function member(name: string, pattern = '[^"]+'): RegExp {
  return new RegExp(`(?<="${name}":")${pattern}`, 'g')
}

/** What a program sent, with names for what changes. */
export function recorded(records: readonly WireRecord[], names: Names): RecordedMessage[] {
  const named = (bytes: Uint8Array | string) => {
    let text = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8')
    for (const [value, name] of [...names, ...ALWAYS]) text = text.replaceAll(value, name)
    return text
  }
  return records
    .filter(({ from, kind }) => from === 'peer' && kind !== 'close' && kind !== 'pong')
    .map(({ kind, head, body }): RecordedMessage => {
      if (kind === 'http') return { http: named(head).trimEnd().split('\r\n'), body: named(body) }
      if (kind === 'text') return { text: named(body) }
      if (kind === 'ping') return { ping: named(body) }
      return { frame: recordedFrame(body, named) }
    })
}

function recordedFrame(bytes: Buffer, named: (text: string) => string): RecordedFrame {
  const payload = bytes.subarray(120)
  const text = payload.toString('utf8')
  const readable = Buffer.from(text).equals(payload) && /^[\t\n\r -~]*$/.test(text)
  return {
    headerLength: bytes.readUInt32BE(0),
    messageType: bytes.toString('latin1', 4, 36),
    schemaVersion: bytes.readUInt32BE(36),
    sequenceNumber: Number(bytes.readBigInt64BE(48)),
    flags: Number(bytes.readBigUInt64BE(56)),
    payloadType: bytes.readUInt32BE(112),
    ...(readable ? { payload: named(text) } : { payloadHex: payload.toString('hex') }),
  }
}

/**
 * The kinds of messages in a recording, each once: two runs of a program agree in these, while terminal output comes
 * cut differently and acknowledgements come in another order each time.
 */
export function kindsOf(messages: readonly RecordedMessage[]): string[] {
  return [...new Set(messages.map(kindOf))].toSorted()
}

function kindOf(message: RecordedMessage): string {
  if (!('frame' in message)) return JSON.stringify(message)
  const { payload = '', sequenceNumber, ...rest } = message.frame
  const json = payload.startsWith('{')
  const content = json ? payload.replace(/(?<=SequenceNumber":)\d+/g, '{number}') : '{bytes}'
  return JSON.stringify({ ...rest, payloadHex: undefined, first: sequenceNumber === 0, content })
}
