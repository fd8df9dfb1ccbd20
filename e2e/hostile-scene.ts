import { join } from 'node:path'
import { openStore, type Store } from '@sallyport/server/store/store'
import { expect } from 'vitest'
import { HostileNode } from './hostile-peer.ts'
import { connect, type RemoteShell } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'

/** A server, two nodes whose agents are ours, and somebody who only wants to work. */
export type HostileScene = AsyncDisposable & {
  stack: Stack
  mallory: HostileNode
  victim: HostileNode
  /** The server's own tables, to age what only time would. */
  store: Store
}

/** At its end it sees to it that the bystander's session has gone on, whatever was tried meanwhile. */
export async function openHostileScene(): Promise<HostileScene> {
  const stack = await startStack()
  let bystander: RemoteShell | undefined
  let store: Store | undefined
  const close = async () => {
    await bystander?.[Symbol.asyncDispose]()
    await store?.close()
    await stack[Symbol.asyncDispose]()
  }
  try {
    const mallory = await HostileNode.register(stack, 'mallory')
    const victim = await HostileNode.register(stack, 'victim')
    await mallory.goOnline()
    await victim.goOnline()
    store = await openStore({ path: join(stack.dataDirectory, 'sallyport.db') })
    const shell = await connect(stack)
    bystander = shell
    const dispose = async () => {
      try {
        expect(await shell.run('echo still here')).toBe('still here')
      } finally {
        await close()
      }
    }
    return { stack, mallory, victim, store, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await close()
    throw error
  }
}
