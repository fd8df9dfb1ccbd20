import { constants, createHash, createHmac, createPrivateKey, randomBytes, sign } from 'node:crypto'
import { type Response, ScriptedConnection } from './scripted-connection.ts'
import { fill, recordedMessage, type Values } from './scripted-frames.ts'
import type { Stack } from './stack.ts'

/** How a request of a recording is signed. */
export type Signer = (stringToSign: string, scope: string) => string

export function hmacSigner(secretAccessKey: string): Signer {
  return (stringToSign, scope) => {
    const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest()
    const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`)
    return createHmac('sha256', key).update(stringToSign).digest('hex')
  }
}

/** What an activated agent does instead of an HMAC, under the same label (control-plane.md 3). */
export function rsaSigner(privateKeyPem: string): Signer {
  const key = createPrivateKey(privateKeyPem)
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return stringToSign =>
    sign('sha256', Buffer.from(stringToSign), { key, padding, saltLength: 32 }).toString('base64')
}

/** A request as it was recorded, with this run's values and a signature over what its SignedHeaders name. */
export function signedRequest(
  template: { http: string[]; body: string },
  values: Values,
  signer?: Signer,
): { lines: string[]; body: string } {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const body = fill(template.body, values)
  const content = /^[0-9a-f]+\r\n([\s\S]*)\r\n0\r\n\r\n$/.exec(body)?.[1] ?? body
  const sha256 = createHash('sha256').update(content).digest('hex')
  const known = {
    ...values,
    date,
    day: date.slice(0, 8),
    sha256,
    length: String(body.length),
    key: randomBytes(16).toString('base64'),
    signature: '{signature}',
  }
  const lines = template.http.map(line => fill(line, known))
  // An agent signs the host as it was configured; HTTP leaves a default port out (control-plane.md 3.1).
  const asSigned = lines.map(line => line.replace(/^Host: .*/, `Host: ${values.signedHost ?? values.host}`))
  const signature = signer?.(...stringToSign(asSigned, sha256, date)) ?? ''
  return { lines: lines.map(line => line.replace('{signature}', signature)), body }
}

/** SigV4, once more and naively. Answers the scope of the key as well. */
function stringToSign(lines: readonly string[], sha256: string, date: string): [string, string] {
  const [method = '', target = ''] = (lines[0] ?? '').split(' ')
  const [path = '', query = ''] = target.split('?')
  const headers = new Map(
    lines.slice(1).map(line => [line.split(':')[0]?.toLowerCase() ?? '', line.replace(/^[^:]*: */, '')]),
  )
  const authorization = headers.get('authorization') ?? ''
  const signed = /SignedHeaders=([^,]+)/.exec(authorization)?.[1] ?? ''
  const scope = /Credential=[^/]+\/([^,]+)/.exec(authorization)?.[1] ?? ''
  const sorted = query
    .split('&')
    .map(pair => pair.replaceAll(/[^\w=.~-]/g, encodeURIComponent))
    .toSorted()
    .join('&')
  const named = signed
    .split(';')
    .map(name => `${name}:${headers.get(name)}\n`)
    .join('')
  const canonical = [method, path, sorted, named, signed, sha256].join('\n')
  const hash = createHash('sha256').update(canonical).digest('hex')
  return [['AWS4-HMAC-SHA256', date, scope, hash].join('\n'), scope]
}

export type Call = { recording: string; like: string | RegExp; values: Values; signer?: Signer | undefined }

/** Makes a recorded request over a connection of its own. */
export async function playRequest(stack: Stack, call: Call): Promise<Response> {
  const connection = await ScriptedConnection.open(stack)
  try {
    const { lines, body } = signedRequest(
      recordedMessage(call.recording, 'http', call.like),
      call.values,
      call.signer,
    )
    return await connection.request(lines, body)
  } finally {
    connection.destroy()
  }
}

/** Opens a recorded websocket; the caller has to set `onFrame`. */
export async function playUpgrade(
  stack: Stack,
  call: Call,
  onFrame: ScriptedConnection['onFrame'],
): Promise<ScriptedConnection> {
  const connection = await ScriptedConnection.open(stack)
  connection.onFrame = onFrame
  const { lines } = signedRequest(
    recordedMessage(call.recording, 'http', call.like),
    call.values,
    call.signer,
  )
  await connection.upgrade(lines)
  return connection
}
