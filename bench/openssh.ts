import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { run } from '../e2e/terminal.ts'

/** OpenSSH's own server on a loopback port, with one key and nothing of the machine's configuration. */
export type OpenSsh = AsyncDisposable & {
  /** Arguments of ssh(1) for a login with a terminal. */
  login: string[]
  /** A configuration file, ssh(1) -F, in which the server is called `node`, and `jump` as well. */
  configuration: string
}

const SSHD = '/usr/sbin/sshd'
/** Where sshd of root wants to see an empty directory (sshd(8), "FILES"). */
const EMPTY_DIRECTORY = '/run/sshd'
const START_TIMEOUT_MS = 5_000

export async function openSsh(user: string): Promise<OpenSsh> {
  if (!existsSync(SSHD)) throw new Error('The peer is missing: apt-get install openssh-server openssh-client')
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-bench-ssh-'))
  // The keys are read as the user who logs in.
  await chmod(directory, 0o755)
  const path = (name: string) => join(directory, name)
  for (const name of ['host', 'client']) {
    const made = await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path(name)])
    if (made.code !== 0) throw new Error(`ssh-keygen: ${made.stderr}`)
  }
  await copyFile(path('client.pub'), path('authorized_keys'))
  const port = await freePort()
  await writeFile(path('sshd_config'), configuration(port, path))
  const made = userInfo().uid === 0 && !existsSync(EMPTY_DIRECTORY)
  if (made) await mkdir(EMPTY_DIRECTORY, { mode: 0o755 })
  const server = spawn(SSHD, ['-D', '-e', '-f', path('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] })
  await writeFile(path('ssh_config'), clientConfiguration(port, user, path('client')))
  const ssh: OpenSsh = {
    login: ['-tt', '-F', path('ssh_config'), 'node'],
    configuration: path('ssh_config'),
    async [Symbol.asyncDispose]() {
      await end(server)
      await rm(directory, { recursive: true, force: true })
      if (made) await rm(EMPTY_DIRECTORY, { recursive: true, force: true })
    },
  }
  await accepting(port)
  return ssh
}

function configuration(port: number, path: (name: string) => string): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    'ListenAddress ::1',
    `HostKey ${path('host')}`,
    `AuthorizedKeysFile ${path('authorized_keys')}`,
    `PidFile ${path('pid')}`,
    'StrictModes no',
    'UsePAM no',
    'PrintMotd no',
    'PrintLastLog no',
    'PasswordAuthentication no',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n')
}

function clientConfiguration(port: number, user: string, key: string): string {
  return [
    'Host node jump',
    'HostName localhost',
    `Port ${port}`,
    `User ${user}`,
    `IdentityFile ${key}`,
    'IdentitiesOnly yes',
    'BatchMode yes',
    'LogLevel ERROR',
    'StrictHostKeyChecking no',
    'UserKnownHostsFile /dev/null',
    '',
  ].join('\n')
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

export async function accepting(port: number): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      if (Date.now() > deadline) throw new Error('sshd did not start', { cause: error })
      await new Promise(resolve => setTimeout(resolve, 20))
    } finally {
      socket.destroy()
    }
  }
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
