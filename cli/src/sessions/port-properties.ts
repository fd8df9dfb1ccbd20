import { LOCAL_PORT_FORWARDING } from '@sallyport/protocol/handshake'
import { jsonRecord } from '@sallyport/protocol/json-record'

const propertiesRecord = jsonRecord('properties of the port session', {
  portNumber: 'json?',
  host: 'string?',
  localPortNumber: 'json?',
  localConnectionType: 'string?',
  localUnixSocket: 'string?',
})

/** What the session document says, for the client and about the node's end (data-plane.md 15.1). */
export type PortProperties = {
  /** `localhost:80`, as the node sees it. */
  destination: string
  /** 0: a free one. */
  localPort: number
  /** Of a Unix socket in place of a port. */
  localPath: string | undefined
}

/** Whether a Port session is of the type that has a local end; else it is raw, as for SSH. */
export const forwardsPorts = (properties: unknown): boolean =>
  (Object(properties) as { type?: unknown }).type === LOCAL_PORT_FORWARDING

export function readPortProperties(json: unknown): PortProperties {
  const { portNumber, host, localPortNumber, localConnectionType, localUnixSocket } =
    propertiesRecord.read(json)
  const name = host || 'localhost'
  return {
    destination: `${name.includes(':') ? `[${name}]` : name}:${scalar(portNumber)}`,
    localPort: Number(scalar(localPortNumber ?? 0)),
    localPath: localConnectionType === 'unix' ? (localUnixSocket ?? '') : undefined,
  }
}

/** The node may have put anything there, even an object that cannot be made a string of. */
const scalar = (json: unknown): unknown =>
  typeof json === 'string' || typeof json === 'number' ? json : Number.NaN
