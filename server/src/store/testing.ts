import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore, type Store } from './store.ts'

export const testScope = { accountId: '123456789012', region: 'us-east-1' }

/** A real store in a directory of its own; `dispose` removes both. For tests. */
export async function temporaryStore(): Promise<{
  store: Store
  directory: string
  dispose(): Promise<void>
}> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-test-'))
  const store = await openStore({ path: join(directory, 'store.db') })
  return {
    store,
    directory,
    dispose: async () => {
      await store.close()
      await rm(directory, { recursive: true })
    },
  }
}
