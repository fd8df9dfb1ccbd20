import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ConfigError, readEnv, type ServerConfig } from './config.ts'
import { credentialLines } from './credential-lines.ts'
import { ADMINISTRATOR } from './iam/first-start.ts'
import { resetAdministrator } from './iam/reset-administrator.ts'
import { hasCode } from './store/private-file.ts'
import { openSealing } from './store/sealing.ts'
import { openStore } from './store/store.ts'

export const RESET_COMMAND = 'reset-administrator'

export const RESET_USAGE = `usage: sallyport server ${RESET_COMMAND} [options]

Gives you back an administrator when nobody can administer the server any more: the user gets AdministratorAccess, loses
its permissions boundary and has one more access key. Nothing else changes. The server may be running: it knows of the
change within 2 seconds.

  --user-name NAME   made if it is not there (${ADMINISTRATOR})
  --data-dir DIR     of the server (SALLYPORT_DATA_DIR; /var/lib/sallyport as root, else ~/.sallyport)
  --region REGION    of the server (SALLYPORT_REGION; us-east-1)
  --account-id ID    of the server (SALLYPORT_ACCOUNT_ID; 123456789012)
  --partition NAME   of the server (SALLYPORT_PARTITION; aws)
`

const USER_NAME = /^[\w+=,.@-]{1,64}$/

/** What a person can put right. */
export class ResetError extends Error {
  override readonly name = 'ResetError'
}

type ResetOptions = { config: ServerConfig; userName: string }

/** Undefined when help is asked for. Throws as readEnv and parseArgs do, and ResetError. */
export function readResetOptions(argv: readonly string[]): ResetOptions | undefined {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...argv],
    options: {
      'user-name': text,
      'data-dir': text,
      region: text,
      'account-id': text,
      partition: text,
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return undefined
  const userName = values['user-name'] ?? ADMINISTRATOR
  if (!USER_NAME.test(userName)) {
    throw new ConfigError({ name: '--user-name', value: userName }, 'up to 64 letters, digits and _+=,.@-')
  }
  const config = readEnv(process.env, {
    dataDir: values['data-dir'],
    region: values.region,
    accountId: values['account-id'],
    partition: values.partition,
  })
  return { config, userName }
}

/** What to tell, the new key in it. Throws ResetError where no server has kept anything. */
export async function reset({ config, userName }: ResetOptions, now: number): Promise<string> {
  const { dataDir, accountId, region, partition } = config
  const database = join(dataDir, 'sallyport.db')
  if (!(await exists(database))) {
    throw new ResetError(`No server keeps anything in ${dataDir}. Give its --data-dir.`)
  }
  const store = await openStore({ path: database })
  try {
    // A typing error must not make an administrator of an account that nobody asks for.
    const scopes = await store.secrets.scopes()
    if (!scopes.some(scope => scope.accountId === accountId && scope.region === region)) {
      const known = scopes.map(scope => `--account-id ${scope.accountId} --region ${scope.region}`)
      throw new ResetError(
        `No server of account ${accountId} in ${region} keeps anything in ${dataDir}. It is for: ${known.join(', ') || 'nobody'}.`,
      )
    }
    const sealing = await openSealing(join(dataDir, 'master.key'))
    const realm = { partition, scope: { accountId, region } }
    const { others, ...administrator } = await resetAdministrator({ store, sealing, realm, now }, userName)
    const lines = credentialLines(`Administrator "${administrator.userName}"`, administrator)
    if (others.length > 0) {
      lines.push(
        '',
        `"${administrator.userName}" still has ${others.join(', ')}. What these deny stays denied; a user who is new`,
        'has none of them: --user-name.',
      )
    }
    return `${lines.join('\n')}\n`
  } finally {
    await store.close()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}
