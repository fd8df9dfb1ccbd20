import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataChannel } from '@sallyport/protocol/data-channel'
import { limitsOf } from '@sallyport/protocol/handshake'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { decodeExitCode, decodeFlag, encodeFlag } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { onTestFinished } from 'vitest'
import { activityFor } from './activities.ts'
import type { ActivityContext } from './activity.ts'

type Options = {
  /** Whether the client speaks `Sallyport/1`. */
  own?: boolean
  parameters?: Record<string, unknown>
  /** Takes none of the output before `take` is called. */
  slow?: boolean
}

/** A session document in progress, as the client at the other end of a real data channel sees it. */
export function openActivity(
  document: Record<string, unknown>,
  { own = true, parameters = {}, slow = false }: Options = {},
) {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'sallyport-activity-'))
  const chunks = new Map<number, Buffer[]>()
  /** Payload types of what came, in order, repetitions left out. */
  const order: number[] = []
  const counts = { inputRoom: 0 }
  const watchers = new Set<() => void>()
  let exitCode: number | undefined
  let taking = !slow
  let ended: { status: string; output: string } | undefined

  const received = (type: number, payload: Uint8Array): boolean => {
    if (!taking && (type === PayloadType.output || type === PayloadType.stderr)) return false
    if (order.at(-1) !== type) order.push(type)
    if (type === PayloadType.exitCode) exitCode = decodeExitCode(payload)
    else if (type === PayloadType.flag) {
      if (decodeFlag(payload) === PayloadFlag.inputRoom) counts.inputRoom++
    } else chunks.set(type, [...(chunks.get(type) ?? []), Buffer.from(payload)])
    for (const watch of [...watchers]) watch()
    return true
  }
  const common = { crypto: nodeCrypto, now: Date.now }
  const agent: DataChannel = new DataChannel({
    ...common,
    role: 'agent',
    transmit: frame => setImmediate(() => client.receive(frame)).ref() && setImmediate(() => client.flush()),
    deliver: (type, payload) => activity.deliver(type, payload),
    onWritable: () => activity.onWritable(),
  })
  const client: DataChannel = new DataChannel({
    ...common,
    role: 'client',
    transmit: frame => setImmediate(() => agent.receive(frame)).ref() && setImmediate(() => agent.flush()),
    deliver: received,
  })
  const limits = limitsOf({ payload: 64 * 1024, window: 1024 * 1024 })
  for (const channel of [agent, client]) {
    if (own) channel.agree(limits)
    channel.connected()
  }
  const context: ActivityContext = {
    channel: agent,
    task: { DocumentName: 'test', SessionId: 'test', Parameters: parameters, DocumentContent: document },
    asRoot: false,
    stateDirectory,
    env: {},
    log: () => {},
    destinations: undefined as never,
    onInputRoom: () => agent.resume(),
    onEnd: (status, output) => {
      ended = { status, output }
      for (const watch of [...watchers]) watch()
    },
  }
  onTestFinished(() => rmSync(stateDirectory, { recursive: true }))
  const activity = activityFor({ schemaVersion: '1.0', ...document }, context)
  onTestFinished(() => activity.stop())
  activity.start({ ownClient: own, clientVersion: '1.2.497.0' })

  const text = (type: number) => Buffer.concat(chunks.get(type) ?? []).toString()
  const until = (condition: () => boolean) =>
    new Promise<void>(resolve => {
      const watch = () => {
        if (!condition()) return
        watchers.delete(watch)
        resolve()
      }
      watchers.add(watch)
      watch()
    })
  return {
    activity,
    order,
    counts,
    send: (data: string | Uint8Array) => client.send(PayloadType.output, Buffer.from(data as string)),
    flag: (flag: number) => client.sendWhole(PayloadType.flag, encodeFlag(flag)),
    stdout: () => text(PayloadType.output),
    stdoutBytes: () => Buffer.concat(chunks.get(PayloadType.output) ?? []),
    stderr: () => text(PayloadType.stderr),
    until,
    take: () => {
      taking = true
      client.resume()
      client.flush()
    },
    /** Waits for the end of the activity and for all that was sent before it. */
    end: async () => {
      await until(() => ended !== undefined)
      while (!agent.drained) await new Promise(setImmediate)
      return { ...ended, exitCode, stdout: text(PayloadType.output), stderr: text(PayloadType.stderr) }
    },
  }
}

/** The content of a document with one command for every platform. */
export const commandDocument = (
  sessionType: string,
  commands: string,
  more: Record<string, unknown> = {},
) => {
  const properties = { commands, ...more }
  return { sessionType, properties: { linux: properties, macos: properties } }
}
