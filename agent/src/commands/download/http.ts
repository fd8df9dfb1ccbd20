import { type LookupAddress, lookup } from 'node:dns'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { basename } from 'node:path'
import { inWords } from '../../sessions/error-words.ts'
import { parseAddress } from '../../sessions/port/address.ts'
import type { DestinationRules } from '../../sessions/port/destination-rules.ts'
import { type Destination, MAXIMUM_DOWNLOAD, writeAll, writeWhole } from './destination.ts'

const MAXIMUM_REDIRECTS = 5
/** Without a byte. */
const IDLE = 60_000

export type HttpSource = {
  url: string
  /** http:, also after a redirect. */
  insecure: boolean
  /** For the host of `url` alone. */
  authorization: string | undefined
}

/** Downloads one file and answers its path. Addresses that the node's own platform answers on are refused. */
export async function downloadHttp(
  source: HttpSource,
  destination: Destination,
  rules: DestinationRules,
  signal: AbortSignal,
): Promise<string> {
  const first = readUrl(source.url, source.insecure)
  const name = nameOf(first)
  if (name === '' && destination.isDirectory) {
    throw new Error('The URL names no file: give the name of one in destinationPath.')
  }
  const response = await follow(first, source, rules, signal)
  const length = Number(response.headers['content-length'] ?? 0)
  if (length > MAXIMUM_DOWNLOAD) {
    response.destroy()
    throw new Error(`The file has ${length} bytes, more than ${MAXIMUM_DOWNLOAD}.`)
  }
  const path = destination.file(name)
  await writeWhole(path, fd => store(response, fd))
  return path
}

async function store(response: IncomingMessage, fd: number): Promise<void> {
  let size = 0
  for await (const chunk of response) {
    size += chunk.length
    if (size > MAXIMUM_DOWNLOAD) throw new Error(`The file has more than ${MAXIMUM_DOWNLOAD} bytes.`)
    await writeAll(fd, chunk)
  }
}

async function follow(
  first: URL,
  { insecure, authorization }: HttpSource,
  rules: DestinationRules,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  let url = first
  for (let redirects = 0; redirects <= MAXIMUM_REDIRECTS; redirects++) {
    const headers: Record<string, string> = { accept: '*/*', 'user-agent': 'sallyport-agent' }
    if (authorization !== undefined && url.origin === first.origin) headers.authorization = authorization
    const response = await get(url, headers, rules, signal)
    const status = response.statusCode ?? 0
    if (status === 200) return response
    response.destroy()
    const { location } = response.headers
    if (status < 300 || status > 399 || location === undefined) {
      throw new Error(`${url.host} answered ${status} ${response.statusMessage ?? ''}`.trim())
    }
    url = readUrl(new URL(location, url).href, insecure)
  }
  throw new Error(`More than ${MAXIMUM_REDIRECTS} redirects.`)
}

function readUrl(text: string, insecure: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw new Error('The url is none.')
  if (url.protocol === 'https:' || (url.protocol === 'http:' && insecure)) return url
  if (url.protocol === 'http:') {
    throw new Error(
      `${url.host} is to be asked without TLS: use https, or set allowInsecureDownload to true.`,
    )
  }
  throw new Error(`The url begins with ${url.protocol}, not with https:.`)
}

function nameOf(url: URL): string {
  try {
    // Encoded slashes and dots lead nowhere once only the last part counts.
    const name = basename(decodeURIComponent(url.pathname))
    return name === '.' || name === '..' || name.includes('\0') ? '' : name
  } catch {
    return basename(url.pathname)
  }
}

function get(
  url: URL,
  headers: Record<string, string>,
  rules: DestinationRules,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  refuseDenied(url.hostname.replace(/^\[|\]$/g, ''), rules)
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, signal, timeout: IDLE, lookup: lookupAllowed(rules) }, resolve)
    asked.once('timeout', () => asked.destroy(new Error(`no answer within ${IDLE / 1000} s`)))
    asked.once('error', error => reject(new Error(`${url.host}: ${inWords(error)}`, { cause: error })))
    asked.end()
  })
}

/** Throws if it is an address that nobody may reach through a node; names are for `lookupAllowed`. */
export function refuseDenied(host: string, rules: DestinationRules): void {
  const address = parseAddress(host)
  if (address !== undefined && rules.denies(address)) {
    throw new Error(`${host} is an address of the node's own platform, and nothing is downloaded from it.`)
  }
}

/** Decides where the connection is made, so that a name cannot mean one address now and another one then. */
function lookupAllowed(rules: DestinationRules): LookupFunction {
  return (host, options, answer) => {
    lookup(host, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      const refused = error ?? problemOf(addresses, rules)
      const [first] = addresses ?? []
      if (refused !== undefined || first === undefined) answer(refused ?? new Error('no address'), '')
      else if (options.all) answer(null, addresses)
      else answer(null, first.address, first.family)
    })
  }
}

function problemOf(addresses: readonly LookupAddress[], rules: DestinationRules): Error | undefined {
  try {
    for (const { address } of addresses) refuseDenied(address, rules)
    return undefined
  } catch (error) {
    return error as Error
  }
}
