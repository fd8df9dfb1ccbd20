import { binDirectory, type Stack, startStack } from '../e2e/stack.ts'
import { openTerminal, type TestTerminal } from '../e2e/terminal.ts'
import { type Account, openAccount } from './account.ts'
import { COLLECT_ON_SIGNAL } from './memory-of.ts'
import { type OpenSsh, openSsh } from './openssh.ts'

/** A prompt at the very end of the output; colours may follow it. */
export const PROMPT = /[$#] (?:\x1b\[[0-9;?]*[a-zA-Z])*$/

/** Our product and what it is measured against, on this machine. */
export type Peers = AsyncDisposable & { stack: Stack; account: Account; ssh: OpenSsh }

export async function openPeers(): Promise<Peers> {
  const account = await openAccount()
  const open: AsyncDisposable[] = [account]
  const close = async () => {
    for (const part of open.reverse()) await part[Symbol.asyncDispose]()
  }
  try {
    const ssh = await openSsh(account.name)
    open.push(ssh)
    const stack = await openStack(account)
    open.push(stack)
    return { stack, account, ssh, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** A server and a node that nothing has run on yet. */
export async function openStack(account: Account): Promise<Stack> {
  const stack = await startStack({ nodes: 0, serverEnv: { NODE_OPTIONS: COLLECT_ON_SIGNAL } })
  try {
    await stack.addNode('bench', { env: { NODE_OPTIONS: COLLECT_ON_SIGNAL } })
    if (account.runAs) await runSessionsAs(stack, account.name)
    return stack
  } catch (error) {
    await stack[Symbol.asyncDispose]()
    throw error
  }
}

async function runSessionsAs(stack: Stack, user: string): Promise<void> {
  const content = JSON.stringify({
    schemaVersion: '1.0',
    sessionType: 'Standard_Stream',
    inputs: { runAsEnabled: true, runAsDefaultUser: user },
  })
  const named = ['--name', 'SSM-SessionManagerRunShell', '--document-type', 'Session', '--content', content]
  await stack.api('create-document', ...named)
}

/** The ways to a shell, by name. Each opens a terminal on which the prompt will appear. */
export function shells({ stack, account, ssh }: Peers): Record<string, () => TestTerminal> {
  const node = stack.node.id
  const start = ['ssm', 'start-session', '--target', node, '--endpoint-url', stack.endpoint]
  const aws = process.env.SALLYPORT_TEST_AWS2 ?? '/usr/bin/aws'
  const own = (file: string, args: string[]) => () => openTerminal({ file, args, env: stack.env })
  return {
    'login shell alone': () => openTerminal(account.shell),
    'ssh localhost': () => openTerminal({ file: 'ssh', args: ssh.login }),
    'sallyport connect': own(`${binDirectory}/sallyport`, ['connect', node]),
    'aws ssm start-session': own(aws, start),
  }
}

/** Ends the shell as a person does, and waits for the program. */
export async function leave(terminal: TestTerminal): Promise<void> {
  await terminal.send('exit\r')
  await terminal.exited
}
