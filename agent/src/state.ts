import { chmod, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jsonRecord, type RecordOf } from '@sallyport/protocol/json-record'
import { replaceFile } from './replace-file.ts'

// What the agent keeps between runs: one file, 0600, in a directory of its own, 0700.

const fields = {
  endpoint: 'string',
  region: 'string',
  instanceId: 'string',
  fingerprint: 'string',
  /** PKCS #8, PEM. */
  privateKey: 'string',
  /** PEM of the CA that the server's certificate must chain to; absent means the system's CAs. */
  ca: 'string?',
  registeredAt: 'string?',
} as const
const registrationRecord = jsonRecord('registration.json', fields)

/** The identity of this node, as it was registered. */
export type Registration = RecordOf<typeof fields>

const FILE = 'registration.json'

/** Undefined if the node is not registered. Throws if the file is there and cannot be used. */
export async function loadRegistration(stateDirectory: string): Promise<Registration | undefined> {
  const path = join(stateDirectory, FILE)
  try {
    return registrationRecord.decode(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${path} cannot be used: ${(error as Error).message}. Remove it and register again.`, {
      cause: error,
    })
  }
}

/** Replaces the file in one step, so that a crash leaves the old identity or the new one, never half of each. */
export async function saveRegistration(stateDirectory: string, registration: Registration): Promise<void> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 })
  await chmod(stateDirectory, 0o700)
  await replaceFile(join(stateDirectory, FILE), registrationRecord.encode(registration), 0o600)
}
