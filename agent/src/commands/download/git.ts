import { spawn } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, sep } from 'node:path'
import { sealedStdio } from '../../pty/inherited-fds.ts'
import { inWords } from '../../sessions/error-words.ts'
import { endProcesses } from '../../sessions/process-tree.ts'
import { copyFile, copyTree } from './copy-tree.ts'
import type { Destination } from './destination.ts'

export type GitSource = {
  repository: string
  /** `branch:<name>` or `commitID:<id>`; empty for the default branch. */
  getOptions: string
  /** Of the repository, a file or a directory; empty for all of it. */
  path: string
  user: string
  password: string
  privateKey: string
  skipHostKeyChecking: boolean
}

/** The programs that git would start for others can do anything (git-config(1), protocol.allow). */
const PROTOCOLS = 'https:http:ssh:git:file'
const BRANCH = /^(?!-)[A-Za-z0-9_./+@#-]{1,250}$/
const COMMIT = /^[0-9a-f]{7,64}$/i
const MAXIMUM_WORDS = 4_096
// Asked with the prompt as its argument (gitcredentials(7)); the secret is in its environment, which others cannot read.
const ASKPASS =
  '#!/bin/sh\ncase "$1" in [Uu]sername*) printf %s "$SALLYPORT_GIT_USER";; *) printf %s "$SALLYPORT_GIT_PASSWORD";; esac\n'

/** Clones a repository and copies what is wanted of it. `directory` is for what is needed meanwhile. */
export async function downloadGit(
  source: GitSource,
  destination: Destination,
  directory: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const work = mkdtempSync(join(directory, 'git-'))
  try {
    const clone = join(work, 'clone')
    await cloneInto(clone, source, { ...env, ...credentials(source, work) }, signal)
    return await copyWanted(clone, source.path, destination)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

type Environment = Readonly<Record<string, string>>

async function cloneInto(
  clone: string,
  source: GitSource,
  env: Environment,
  signal: AbortSignal,
): Promise<void> {
  const [, kind, wanted = ''] = /^(branch|commitID)\s*:\s*(.*)$/i.exec(source.getOptions.trim()) ?? []
  if (kind === undefined && source.getOptions.trim() !== '') {
    throw new Error('getOptions must be branch:<name> or commitID:<id>.')
  }
  const isCommit = kind?.toLowerCase() === 'commitid'
  if (kind !== undefined && !(isCommit ? COMMIT : BRANCH).test(wanted)) {
    throw new Error(`getOptions has '${wanted}', which is no ${isCommit ? 'commit' : 'branch'}.`)
  }
  const branch = kind !== undefined && !isCommit ? ['--branch', wanted] : []
  const depth = isCommit ? [] : ['--depth', '1']
  const options = ['--quiet', '--no-tags', ...depth, ...branch]
  await git(['clone', ...options, '--', source.repository, clone], source, env, signal)
  if (isCommit) await git(['-C', clone, 'checkout', '--quiet', '--detach', wanted], source, env, signal)
}

async function copyWanted(clone: string, path: string, destination: Destination): Promise<string> {
  const root = realpathSync(clone)
  const wanted = join(root, path)
  if (statSync(wanted, { throwIfNoEntry: false }) === undefined) {
    throw new Error(`The repository has no '${path}'.`)
  }
  const real = realpathSync(wanted)
  if (real !== root && !real.startsWith(root + sep)) throw new Error(`'${path}' leads out of the repository.`)
  if (statSync(real).isDirectory()) {
    await copyTree(real, destination.path, destination)
    return destination.path
  }
  const file = destination.file(basename(wanted))
  await copyFile(real, file)
  return file
}

/** What git needs to know secrets without any of them in its arguments, which everybody on the node can read. */
function credentials(
  { user, password, privateKey, skipHostKeyChecking }: GitSource,
  work: string,
): Environment {
  const askpass = join(work, 'askpass')
  writeFileSync(askpass, ASKPASS, { mode: 0o700 })
  const checking = skipHostKeyChecking ? 'no -o UserKnownHostsFile=/dev/null' : 'accept-new'
  const ssh = ['ssh', '-o BatchMode=yes', `-o StrictHostKeyChecking=${checking}`]
  if (privateKey !== '') {
    const key = join(work, 'key')
    writeFileSync(key, privateKey.endsWith('\n') ? privateKey : `${privateKey}\n`, { mode: 0o600 })
    ssh.push('-o IdentitiesOnly=yes', `-i '${key.replaceAll("'", "'\\''")}'`)
  }
  return {
    GIT_ALLOW_PROTOCOL: PROTOCOLS,
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_ASKPASS: askpass,
    GIT_SSH_COMMAND: ssh.join(' '),
    SALLYPORT_GIT_USER: user,
    SALLYPORT_GIT_PASSWORD: password,
    LC_ALL: 'C',
  }
}

async function git(
  args: readonly string[],
  source: GitSource,
  env: Environment,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const child = spawn('git', args, { env, stdio: sealedStdio(['ignore', 'ignore', 'pipe']), detached: true })
  let words = ''
  child.stderr?.on('data', chunk => {
    if (words.length < MAXIMUM_WORDS) words += chunk
  })
  const end = (): void => void endProcesses(child.pid ?? 0, { ask: 'SIGTERM', detached: true })
  signal.addEventListener('abort', end, { once: true })
  const why = await new Promise<string | undefined>(resolve => {
    child.once('error', error => {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      resolve(missing ? 'git is not installed on this node' : inWords(error))
    })
    child.once('close', code => resolve(code === 0 ? undefined : words.trim() || `git ended with ${code}`))
  })
  signal.removeEventListener('abort', end)
  if (why !== undefined)
    throw new Error(`The repository could not be downloaded: ${withoutSecrets(why, source)}`)
}

/** git names the repository in its messages, and in that people put passwords. */
function withoutSecrets(text: string, { password, privateKey }: GitSource): string {
  let clean = text.replace(/(\w+:\/\/)[^\s/@]*@/g, '$1***@')
  for (const secret of [password, privateKey]) if (secret !== '') clean = clean.replaceAll(secret, '***')
  return clean
}
