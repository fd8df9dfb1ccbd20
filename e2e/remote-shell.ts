/** A person at a terminal who has opened a shell on a node, with whichever program. */
import { readFileSync } from 'node:fs'
import { binDirectory, type Stack } from './stack.ts'
import { type Environment, openTerminal, run, sessionMembers, type TestTerminal } from './terminal.ts'

export const aws2 = process.env.SALLYPORT_TEST_AWS2 ?? '/usr/bin/aws'
export const aws1 = process.env.SALLYPORT_TEST_AWS1

/** Says how the terminal was before and after the program and how the program ended, and then keeps the terminal. */
const WATCH =
  // A stock plugin leaves Ctrl-C to the kernel, which interrupts this shell as well.
  'trap : INT QUIT TSTP; echo "before=$(stty -g)."; "$@"; status=$?; echo "after=$(stty -g)."; echo "status=$status."; read -r forever'

type Options = { cols?: number; rows?: number; env?: Environment; aws?: string }

/** `aws ssm start-session --target <the first node> …`, and waits for the prompt of the node. */
export async function startSession(stack: Stack, args: string[] = [], options: Options = {}) {
  const shell = openSession(stack, args, options)
  await shell.ready()
  return shell
}

/** Without waiting for anything. */
export function openSession(stack: Stack, args: string[] = [], options: Options = {}): RemoteShell {
  const call = ['ssm', 'start-session', '--target', stack.node.id, '--endpoint-url', stack.endpoint]
  return new RemoteShell(stack, [options.aws ?? aws2, ...call, ...args], options)
}

/** `sallyport connect <the first node> …`, and waits for the prompt of the node. */
export async function connect(stack: Stack, args: string[] = [], options: Options = {}) {
  const shell = openConnect(stack, args, options)
  await shell.ready()
  return shell
}

export function openConnect(stack: Stack, args: string[] = [], options: Options = {}): RemoteShell {
  const [node = stack.node.id, ...rest] = args
  return new RemoteShell(stack, [`${binDirectory}/sallyport`, 'connect', node, ...rest], options)
}

export class RemoteShell implements AsyncDisposable {
  readonly terminal: TestTerminal
  sessionId = ''
  #commands = 0

  constructor(stack: Stack, command: string[], { cols = 120, rows = 30, env = {} }: Options) {
    this.terminal = openTerminal({
      file: '/bin/sh',
      args: ['-c', WATCH, 'sh', ...command],
      env: { ...stack.env, ...env },
      cols,
      rows,
    })
  }

  /** The session has begun and the shell on the node prompts. */
  async ready(): Promise<void> {
    const started = await this.terminal.waitFor(/(?:SessionId: |Session )([\w.@=+-]+)/)
    this.sessionId = started[1] ?? ''
    await this.terminal.waitFor(/[$#>] $/)
  }

  /** Types a command and answers what it printed. */
  async run(command: string): Promise<string> {
    const number = ++this.#commands
    // The number is put in by printf, so that the echo of the command is not taken for its output.
    await this.terminal.send(` printf 'begin-%s\\n' ${number}; ${command}; printf 'end-%s\\n' ${number}\r`)
    const [, output = ''] = await this.terminal.waitFor(
      // A stock plugin leaves the terminal's output processing on, which adds a second carriage return.
      new RegExp(`begin-${number}\r*\n([\\s\\S]*?)end-${number}\r*\n`),
    )
    return output.replace(/\r+\n/g, '\n').trimEnd()
  }

  /** Types text, keys and all. */
  type(keys: string | Uint8Array): Promise<void> {
    return this.terminal.send(keys)
  }

  /** The processes that belong to the shell on the node; a session on a terminal is one of the kernel, too. */
  async processes(): Promise<() => number[]> {
    const leader = Number(await this.run('ps -o sid= -p $$'))
    return () => sessionMembers(leader)
  }

  /** Waits for the program's end; answers its exit status and whether the terminal is as it was. */
  async ended(): Promise<{ status: number; restored: boolean; said: string }> {
    const [said, after, status] = await this.terminal.waitFor(
      /[\s\S]*?after=(\S+)\.\r?\n[\s\S]*?status=(\d+)\./,
    )
    return { status: Number(status), restored: after === this.modesBefore, said: said ?? '' }
  }

  /** How the terminal was before the program ran. */
  get modesBefore(): string | undefined {
    return /before=(\S+)\./.exec(this.terminal.output())?.[1]
  }

  /** How the terminal is now. */
  async modes(): Promise<string> {
    const { stdout } = await run('stty', ['-F', this.terminal.device, '-g'])
    return stdout.trim()
  }

  /** The id of the program under test, which a shell has started. */
  get clientPid(): number {
    const { pid } = this.terminal
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminal[Symbol.asyncDispose]()
  }
}
