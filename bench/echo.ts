import type { TestTerminal } from '../e2e/terminal.ts'
import { apiClient, openOwnShell } from './own-client.ts'
import { type Peers, PROMPT, shells } from './peers.ts'
import { figure, median, percentile, printTable, ratio } from './table.ts'

const KEYSTROKES = 500
/**
 * What is typed behind it is echoed by the terminal alone: `cat` keeps the shell's line editor out of it. The
 * keys of a run fit into the 4,095 bytes of a line. The output says that the line editor has let go of the terminal.
 */
const ECHO_BY_TERMINAL = "printf 'begin-%s\\n' here; exec cat\r"
const BEGUN = /begin-here\r\n/
const WARM_UP = 50

type Echo = { press: () => Promise<void>; end: () => Promise<void> }

/** One keystroke at a time, each way in turn: from the write to the terminal until its echo comes back. */
export async function benchEcho(peers: Peers): Promise<void> {
  const opened: Array<[string, Echo, number[]]> = []
  try {
    for (const [name, open] of Object.entries(shells(peers))) {
      const label = name === 'login shell alone' ? 'terminal of this machine' : name
      opened.push([label, await echoOnTerminal(open()), []])
    }
    opened.push(['our client in this process', await echoInProcess(peers), []])
    for (let key = -WARM_UP; key < KEYSTROKES; key++) {
      for (const [, echo, times] of opened) {
        const started = performance.now()
        await echo.press()
        if (key >= 0) times.push(performance.now() - started)
      }
    }
  } finally {
    for (const [, echo] of opened) await echo.end()
  }
  const ssh = opened.find(([name]) => name === 'ssh localhost')?.[2] ?? []
  printTable(
    `Echo of a keystroke, ms (${KEYSTROKES} each, in turns)`,
    ['way', 'p50', 'p99', 'p50 to ssh'],
    opened.map(([name, , times]) => [
      name,
      figure(median(times)),
      figure(percentile(times, 0.99)),
      ratio(median(times), median(ssh)),
    ]),
  )
}

async function echoOnTerminal(terminal: TestTerminal): Promise<Echo> {
  await terminal.waitFor(PROMPT)
  await terminal.send(ECHO_BY_TERMINAL)
  await terminal.waitFor(BEGUN)
  return {
    press: async () => {
      const echo = terminal.waitFor('x')
      await terminal.send('x')
      await echo
    },
    end: async () => {
      await terminal[Symbol.asyncDispose]()
    },
  }
}

async function echoInProcess({ stack }: Peers): Promise<Echo> {
  const shell = await openOwnShell(stack, apiClient(stack))
  const typed = async (keys: string, wanted: RegExp) => {
    let seen = ''
    shell.type(keys)
    while (!wanted.test(seen)) seen += await shell.output()
  }
  await typed(ECHO_BY_TERMINAL, BEGUN)
  return {
    press: () => typed('x', /x/),
    end: async () => {
      // Ctrl-C ends cat, which is the shell.
      shell.type('\x03')
    },
  }
}
