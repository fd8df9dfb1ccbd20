/** Database servers of Debian as one starts them for oneself: an unprivileged user, a scratch directory, no service. */
import { appendFile, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NetworkNamespace } from './network-namespace.ts'
import { Service } from './stack.ts'
import { run } from './terminal.ts'

/** `nobody`, whom every system has. Neither server wants to be root. */
const NOBODY = 65_534
const UNPRIVILEGED = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']
const INITIALISE_TIMEOUT_MS = 50_000

export const USER = 'master'
export const PASSWORD = 'correct horse'

/** A server that listens on its namespace's address, and what talks to it there without the network. */
export type Database = AsyncDisposable & {
  /** Runs a client program on the server's own machine, over its Unix socket, and answers what it prints. */
  locally: (program: string, ...args: string[]) => Promise<string>
}

/** PostgreSQL on port 5432, with one superuser. */
export async function startPostgres(machine: NetworkNamespace): Promise<Database> {
  const directory = await scratchDirectory()
  const [data, password] = [join(directory, 'data'), join(directory, 'password')]
  await writeFile(password, PASSWORD)
  const authentication = ['--auth=scram-sha-256', `--pwfile=${password}`]
  await succeed(
    ...[...UNPRIVILEGED, 'initdb', '-D', data, '-U', USER, ...authentication],
    ...['--no-sync', '--encoding=UTF8', '--locale=C'],
  )
  await appendFile(join(data, 'pg_hba.conf'), 'host all all samenet scram-sha-256\n')
  const settings = [`listen_addresses=${machine.inside}`, `unix_socket_directories=${directory}`, 'fsync=off']
  const arguments_ = ['-D', data, ...settings.flatMap(setting => ['-c', setting])]
  return await startServer(machine, ['postgres', ...arguments_], {
    ready: /database system is ready to accept connections/,
    // "Fast": it does not wait for its clients to leave.
    stop: 'SIGINT',
    directory,
    locally: (program, ...args) =>
      succeedWith({ PGPASSWORD: PASSWORD }, program, '-h', directory, '-U', USER, ...args),
  })
}

/** MariaDB on port 3306, with one superuser who may come from anywhere. */
export async function startMariaDb(machine: NetworkNamespace): Promise<Database> {
  const directory = await scratchDirectory()
  const [data, socket, first] = ['data', 'socket', 'first.sql'].map(name => join(directory, name))
  await writeFile(first ?? '', `GRANT ALL ON *.* TO '${USER}'@'%' IDENTIFIED BY '${PASSWORD}';\n`)
  const common = ['--no-defaults', `--datadir=${data}`]
  await succeed(
    ...[...UNPRIVILEGED, 'mariadb-install-db', ...common, '--skip-test-db', '--skip-name-resolve'],
    '--auth-root-authentication-method=normal',
  )
  const listening = [`--bind-address=${machine.inside}`, '--port=3306', `--socket=${socket}`]
  const settings = [`--init-file=${first}`, '--skip-name-resolve', `--pid-file=${join(directory, 'pid')}`]
  return await startServer(machine, ['mariadbd', ...common, ...listening, ...settings], {
    ready: /mariadbd: ready for connections/,
    stop: 'SIGTERM',
    directory,
    locally: (program, ...args) =>
      succeed(
        program,
        '--no-defaults',
        `--socket=${socket}`,
        `--user=${USER}`,
        `--password=${PASSWORD}`,
        ...args,
      ),
  })
}

type Server = Pick<Database, 'locally'> & { ready: RegExp; stop: NodeJS.Signals; directory: string }

async function startServer(
  machine: NetworkNamespace,
  command: string[],
  { ready, stop, directory, locally }: Server,
): Promise<Database> {
  const [file = '', ...args] = [...machine.through, ...UNPRIVILEGED, ...command]
  const service = new Service(file, args, {})
  const dispose = async () => {
    await service.kill(stop)
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await service.waitForLine(ready)
  } catch (error) {
    await dispose()
    throw error
  }
  return { locally, [Symbol.asyncDispose]: dispose }
}

async function scratchDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-database-'))
  await chown(directory, NOBODY, NOBODY)
  return directory
}

const succeed = (...command: string[]) => succeedWith({}, ...command)

async function succeedWith(env: Record<string, string>, ...command: string[]): Promise<string> {
  const [file = '', ...args] = command
  const { code, stdout, stderr } = await run(file, args, { env, timeoutMs: INITIALISE_TIMEOUT_MS })
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
  return stdout
}
