import { isIPv6 } from 'node:net'
import { LOCAL_PORT_FORWARDING } from '@sallyport/protocol/handshake'
import { checkSpelling, checkString, invalid, isObject, isStrings, isTemplate } from './content.ts'

const PLATFORMS = ['linux', 'windows', 'macos']
const MAXIMUM_DESTINATIONS = 1000
const MAXIMUM_PORT = 65_535
/** `[v6]:port`, `range:port` and `host:port`; a port may be `*` or absent. What a host is, is the agent's to know. */
const DESTINATIONS = [
  /^\[[^[\]\s]+\](?::(\d+|\*))?$/,
  /^[^[\]/\s]+\/\d+(?::(\d+|\*))?$/,
  /^[^:[\]/\s]+(?::(\d+|\*))?$/,
]
const PORT_KEYS = ['portNumber', 'allowedDestinations']
const PORT_STRINGS = ['host', 'type', 'localPortNumber', 'localConnectionType', 'localUnixSocket']
const COMMAND_KEYS = ['commands', 'runAsElevated', 'separateOutputStream']
const PREFIXES = ['stdOutSeparatorPrefix', 'stdErrSeparatorPrefix']
/** A stock agent refuses any other (data-plane.md 14.3). */
const SEPARATOR = /^[0-9a-zA-Z\r\n_:-]{0,30}$/

/** What each session type has to be told (data-plane.md 14 and 15.1); throws if agents could not run it. */
export function checkProperties(sessionType: string, properties: unknown): void {
  switch (sessionType) {
    case 'Port':
      return checkPort(properties)
    case 'InteractiveCommands':
    case 'NonInteractiveCommands':
      return checkCommands(sessionType, properties)
    default:
      // A shell has none; some documents have empty ones.
      return
  }
}

function checkPort(properties: unknown): void {
  if (!isObject(properties)) throw invalid('properties of a document of type Port must be an object.')
  checkSpelling('properties.', properties, [...PORT_KEYS, ...PORT_STRINGS])
  const { portNumber, allowedDestinations } = properties
  if (typeof portNumber !== 'string' || !(isTemplate(portNumber) || isPort(portNumber))) {
    throw invalid(
      `properties.portNumber must be a string, a number from 1 to 65535 or a parameter such as "{{ portNumber }}", not ${JSON.stringify(portNumber)}.`,
    )
  }
  for (const key of PORT_STRINGS) checkString(`properties.${key}`, properties[key])
  checkType(properties.type)
  if (allowedDestinations !== undefined) checkDestinations(allowedDestinations)
}

/** An empty list allows nothing. */
function checkDestinations(destinations: unknown): void {
  const place = 'properties.allowedDestinations'
  if (!isStrings(destinations) || destinations.length > MAXIMUM_DESTINATIONS) {
    throw invalid(`${place} must be a list of at most ${MAXIMUM_DESTINATIONS} strings.`)
  }
  destinations.forEach((destination, i) => {
    if (destination.includes('{{')) {
      throw invalid(`${place}[${i}] cannot be a parameter: it limits what the caller may ask for.`)
    }
    if (isDestination(destination)) return
    throw invalid(
      `${place}[${i}] must be a host name, *.suffix, an address or a range, and :port or :* behind it, such as "db.internal:5432", "10.0.0.0/8:*" or "[fd00::1]:443", not ${JSON.stringify(destination)}.`,
    )
  })
}

function isDestination(text: string): boolean {
  if (isIPv6(text)) return true
  return DESTINATIONS.some(form => {
    const match = form.exec(text)
    const port = match?.[1] ?? '*'
    return match !== null && (port === '*' || isPort(port))
  })
}

/** Without one the session is a single raw connection, as for SSH (data-plane.md 15.1). */
function checkType(type: unknown): void {
  if (type === undefined || type === '' || type === LOCAL_PORT_FORWARDING || isTemplate(String(type))) return
  throw invalid(`properties.type must be ${LOCAL_PORT_FORWARDING} or absent, not ${JSON.stringify(type)}.`)
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= MAXIMUM_PORT
}

function checkCommands(sessionType: string, properties: unknown): void {
  if (!isObject(properties) || Object.keys(properties).length === 0) {
    throw invalid(
      `properties of a document of type ${sessionType} must have one of ${PLATFORMS.join(', ')}, each with its commands.`,
    )
  }
  for (const [platform, value] of Object.entries(properties)) {
    const place = `properties.${platform}`
    if (!PLATFORMS.includes(platform))
      throw invalid(`${place}: a platform is one of ${PLATFORMS.join(', ')}.`)
    if (!isObject(value)) throw invalid(`${place} must be an object.`)
    checkPlatform(place, value)
  }
}

function checkPlatform(place: string, properties: Record<string, unknown>): void {
  checkSpelling(`${place}.`, properties, [...COMMAND_KEYS, ...PREFIXES])
  const { commands, runAsElevated, separateOutputStream } = properties
  if (typeof commands !== 'string' || commands.trim() === '') {
    throw invalid(`${place}.commands must be a string that is not empty.`)
  }
  if (runAsElevated !== undefined && typeof runAsElevated !== 'boolean') {
    throw invalid(`${place}.runAsElevated must be true or false, without quotation marks.`)
  }
  if (!isOptionalBoolean(separateOutputStream)) {
    throw invalid(`${place}.separateOutputStream must be true or false.`)
  }
  for (const key of PREFIXES) {
    const prefix = properties[key]
    checkString(`${place}.${key}`, prefix)
    if (prefix !== undefined && !isTemplate(prefix) && !SEPARATOR.test(prefix)) {
      throw invalid(
        `${place}.${key} must be at most 30 letters, digits, line ends or any of _ : -, not ${JSON.stringify(prefix)}.`,
      )
    }
  }
}

function isOptionalBoolean(value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return true
  return typeof value === 'string' && (value === 'true' || value === 'false' || isTemplate(value))
}
