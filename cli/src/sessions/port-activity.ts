import { SessionType } from '@sallyport/protocol/handshake'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { decodeFlag } from '@sallyport/protocol/payloads'
import { isVersionSince } from '@sallyport/protocol/versions'
import type { SessionSignal } from '../attach.ts'
import { EXIT } from '../errors.ts'
import type { LocalListener } from '../forwarding/local-listener.ts'
import { inert } from '../inert.ts'
import type { ActivityKind, AgentPeer, ClientActivity, ClientActivityContext } from './client-activity.ts'
import type { CarrierOptions, ConnectionCarrier } from './connection-carrier.ts'
import { MultiplexedConnections } from './multiplexed-connections.ts'
import { OneConnectionAtATime } from './one-connection-at-a-time.ts'
import { forwardsPorts, type PortProperties, readPortProperties } from './port-properties.ts'

/** The first agent with smux (data-plane.md 12.5: above 3.0.196.0). */
const MULTIPLEXING_SINCE = '3.0.196.1'
/** Refusals that are told; a port scan through a forward fills no screen. */
const MAXIMUM_TOLD = 100

/** How the local end is had, and what the person hears of it. */
export type PortFace = {
  listen(properties: PortProperties): Promise<LocalListener>
  /** Connections are served. */
  opened(listener: LocalListener, sessionId: string): void
  accepted?(sessionId: string): void
  /** The person has had enough. */
  leaving?(): void
  /** What a person ends it with. */
  signals: readonly SessionSignal[]
}

/** Connections from here to a port that the node reaches (data-plane.md 15.3, 15.4). */
export const portKind = (face: PortFace): ActivityKind => ({
  takes: (sessionType, properties) => sessionType === SessionType.port && forwardsPorts(properties),
  open: context => new PortActivity(face, context),
})

class PortActivity implements ClientActivity {
  readonly wayOut = ' (Ctrl-C to give up)'
  readonly #face: PortFace
  readonly #context: ClientActivityContext
  readonly #told = new Set<string>()
  #listener: LocalListener | undefined
  #carrier: ConnectionCarrier | undefined
  #destination = ''
  #accepted = false
  #state: 'open' | 'leaving' | 'over' = 'open'

  constructor(face: PortFace, context: ClientActivityContext) {
    this.#face = face
    this.#context = context
    context.onSignals(face.signals, () => void this.#leave())
  }

  start(peer: AgentPeer): void {
    const properties = readPortProperties(peer.properties)
    this.#destination = properties.destination
    this.#carrier = this.#carrierFor(peer)
    this.#context.inputRoom()
    this.#face.listen(properties).then(
      listener => this.#listening(listener),
      (error: Error) => void this.#give(error.message, EXIT.failure),
    )
  }

  deliver(payloadType: number, payload: Uint8Array): boolean {
    if (payloadType === PayloadType.output) return this.#carrier?.deliver(payload) ?? false
    if (payloadType === PayloadType.flag && decodeFlag(payload) === PayloadFlag.connectToPortError) {
      this.#tell(`cannot connect to ${this.#destination}; the log of its agent says why`)
    }
    return true
  }

  onWritable(): void {
    this.#carrier?.onWritable()
  }

  onLink(): void {}

  stop(): void {
    this.#state = 'over'
    this.#listener?.close()
    this.#carrier?.close()
  }

  #carrierFor({ ownAgent, agentVersion }: AgentPeer): ConnectionCarrier {
    const { channel, inputRoom, drained } = this.#context
    const options: CarrierOptions = {
      channel,
      inputRoom,
      drained,
      onRefused: reason => this.#tell(reason),
      onBroken: reason => void this.#give(`The node's end of the tunnel is broken: ${reason}`, EXIT.failure),
    }
    if (ownAgent) return new MultiplexedConnections(options, 2)
    if (isVersionSince(agentVersion, MULTIPLEXING_SINCE)) return new MultiplexedConnections(options, 1)
    return new OneConnectionAtATime(options)
  }

  #listening(listener: LocalListener): void {
    this.#listener = listener
    if (this.#state !== 'open') return listener.close()
    const { sessionId } = this.#context
    this.#face.opened(listener, sessionId)
    listener.onConnection(socket => {
      if (!this.#accepted) this.#face.accepted?.(sessionId)
      this.#accepted = true
      this.#carrier?.accept(socket)
    })
  }

  /** Once for each reason: a browser tries again and again. */
  #tell(reason: string): void {
    if (this.#told.has(reason) || this.#told.size >= MAXIMUM_TOLD) return
    this.#told.add(reason)
    // One line, whatever the node has written into it.
    this.#context.notice(`[The node ${inert(reason, Number.POSITIVE_INFINITY)}]`)
  }

  /** An impatient person is not kept. */
  async #leave(): Promise<void> {
    if (this.#state === 'leaving') return this.#context.end({ reason: '', exitCode: EXIT.ok })
    this.#face.leaving?.()
    await this.#give('', EXIT.ok)
  }

  /** Tells the node by the stream, behind what was sent before, and the server by its API (data-plane.md 15.4). */
  async #give(reason: string, exitCode: number): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'leaving'
    this.#listener?.close()
    this.#carrier?.close()
    await this.#context.leave({ reason, exitCode }, PayloadFlag.terminateSession)
  }
}
