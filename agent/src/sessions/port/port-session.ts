import { TaskStatus } from '@sallyport/protocol/control-channel'
import { LOCAL_PORT_FORWARDING, SessionType } from '@sallyport/protocol/handshake'
import { jsonRecord } from '@sallyport/protocol/json-record'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { decodeFlag } from '@sallyport/protocol/payloads'
import { isVersionSince } from '@sallyport/protocol/versions'
import type { Activity, ActivityContext, Peer, SessionDocument } from '../activity.ts'
import { AllowedDestinations } from './allowed-destinations.ts'
import { authorisedDestinations } from './authorised-destinations.ts'
import { Destination, ForbiddenDestination, type Network } from './destination.ts'
import type { PortMode } from './mode.ts'
import { Multiplexed } from './multiplexed.ts'
import { SingleConnection } from './single-connection.ts'

/** The first plugin that speaks smux (data-plane.md 12.5). */
const MULTIPLEXING_SINCE = '1.1.70'
const MAXIMUM_PORT = 65_535

/** data-plane.md 15.1. All but `allowedDestinations`, which is ours, are for the client too. */
const propertiesRecord = jsonRecord('properties of the port session document', {
  portNumber: 'json?',
  host: 'string?',
  type: 'string?',
  localPortNumber: 'json?',
  localConnectionType: 'json?',
  localUnixSocket: 'json?',
  allowedDestinations: 'json?',
})

/** `Port`: TCP connections from the client to a port of the node, or of a host that the node reaches (data-plane.md 15). */
export class PortSession implements Activity {
  readonly sessionType = SessionType.port
  readonly properties: unknown
  readonly #context: ActivityContext
  readonly #destination: Destination
  readonly #forwards: boolean
  #mode: PortMode | undefined
  #lastRefusal = ''
  #ended = false

  /** Throws with the reason if the document cannot be served. `network` is for tests. */
  constructor(document: SessionDocument, context: ActivityContext, network?: Network) {
    this.#context = context
    const { allowedDestinations: allowed, ...forClient } = propertiesRecord.read(document.properties)
    this.properties = forClient
    const { host = '', type = '', portNumber } = forClient
    if (type !== '' && type !== LOCAL_PORT_FORWARDING) {
      throw new Error(`This agent knows no port sessions of type '${type}'.`)
    }
    this.#forwards = type === LOCAL_PORT_FORWARDING
    this.#destination = new Destination({
      host,
      port: readPort(portNumber),
      rules: context.destinations,
      allowed: allowed === undefined ? undefined : new AllowedDestinations(allowed),
      authorised: authorisedDestinations(context.task.Sallyport),
      network,
    })
  }

  /**
   * Throws where the destination is forbidden whatever the network says: the client hears of it in place of the
   * handshake, and calls nothing ready.
   */
  refuseForbidden(): void {
    this.#destination.refuseByName()
  }

  start(peer: Peer): void {
    this.#mode = this.#modeFor(peer)
    this.#mode.start()
    // A name that turns out to be forbidden is a session's end at once, not a surprise for each connection.
    this.#destination.addresses().catch((error: Error) => {
      if (error instanceof ForbiddenDestination) this.#end(error.message)
    })
  }

  deliver(payloadType: number, payload: Uint8Array): boolean {
    if (payloadType === PayloadType.output) return this.#mode?.deliver(payload) ?? false
    if (payloadType === PayloadType.flag) this.#takeFlag(decodeFlag(payload))
    return true
  }

  onWritable(): void {
    this.#mode?.onWritable()
  }

  async stop(): Promise<void> {
    this.#ended = true
    this.#mode?.stop()
  }

  #modeFor({ ownClient, clientVersion }: Peer): PortMode {
    const options = {
      channel: this.#context.channel,
      destination: this.#destination,
      onInputRoom: this.#context.onInputRoom,
      onRefused: (reason: string) => this.#logRefusal(reason),
      onEnd: (failure?: string) => this.#end(failure),
    }
    if (!this.#forwards) return new SingleConnection(options, { reconnects: false })
    if (ownClient) return new Multiplexed(options, 2)
    if (isVersionSince(clientVersion, MULTIPLEXING_SINCE)) return new Multiplexed(options, 1)
    return new SingleConnection(options, { reconnects: true })
  }

  #takeFlag(flag: number): void {
    switch (flag) {
      case PayloadFlag.disconnectToPort:
        this.#mode?.disconnect()
        return
      case PayloadFlag.endOfInput:
        this.#mode?.endInput()
        return
      case PayloadFlag.terminateSession:
        // The client does not even wait for its acknowledgement (data-plane.md 15.4).
        this.#ended = true
        this.#mode?.stop()
        this.#context.onEnd(TaskStatus.success, '', 'unheard')
        return
      default:
        return
    }
  }

  /** A stock plugin tells its user to look here. Once for the same reason: a client can provoke any number of them. */
  #logRefusal(reason: string): void {
    if (reason === this.#lastRefusal) return
    this.#lastRefusal = reason
    this.#context.log('connection refused', { reason })
  }

  #end(failure?: string): void {
    if (this.#ended) return
    this.#ended = true
    // Or their output would go on while the last of it is waited for.
    this.#mode?.stop()
    if (failure === undefined) this.#context.onEnd(TaskStatus.success, '')
    else this.#context.onEnd(TaskStatus.failed, failure)
  }
}

function readPort(portNumber: unknown): number {
  const port =
    typeof portNumber === 'string' && /^\d{1,5}$/.test(portNumber) ? Number(portNumber) : portNumber
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > MAXIMUM_PORT) {
    throw new RangeError(
      `portNumber of the session document is ${JSON.stringify(portNumber)}, not a port from 1 to ${MAXIMUM_PORT}.`,
    )
  }
  return port
}
