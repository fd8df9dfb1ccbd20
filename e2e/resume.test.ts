import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ChaosProxy } from './chaos-proxy.ts'
import { connect, type RemoteShell, startSession } from './remote-shell.ts'
import { type Node, type Stack, startStack } from './stack.ts'

// A session outlives its connections and its server: nothing is lost, nothing comes twice, nothing out of order.

const MEGABYTE = 1024 * 1024
const CUTS = 20

let stack: Stack
/** Readable for the user of the sessions. */
let scratch: string

beforeAll(async () => {
  stack = await startStack()
  scratch = await mkdtemp(join(tmpdir(), 'sallyport-resume-'))
  await chmod(scratch, 0o755)
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  if (scratch) await rm(scratch, { recursive: true })
})

describe('a server that is killed three times while a shell counts', () => {
  for (const [program, open] of Object.entries({
    'sallyport connect': connect,
    'the aws CLI': startSession,
  })) {
    test(`goes on counting, and takes what was typed meanwhile, with ${program}`, async () => {
      await using shell = await open(stack)
      await count(shell, 1200)
      for (const round of [1, 2, 3]) {
        await shell.terminal.waitFor(`n=${round * 250}\n`)
        await stack.server.kill('SIGKILL')
        await shell.type(`typed-${round} `)
        await stack.startServer()
        await shell.terminal.waitFor(`n=${round * 250 + 150}\n`)
      }
      await shell.terminal.waitFor('counted\n')
      await shell.type('done\n')
      await shell.terminal.waitFor('typed: typed-1 typed-2 typed-3 done\n')
      expect(numbers(shell)).toEqual(Array.from({ length: 1200 }, (_, index) => index + 1))
    })
  }
})

/** Starts to count on the node, a number every few ms; nothing but `read` sets the pace. */
async function count(shell: RemoteShell, upTo: number): Promise<void> {
  const pause = 'read -t 0.005 -u 9'
  const loop = `for i in $(seq ${upTo}); do echo "n=$i"; ${pause}; done; echo counted; read -r line; echo "typed: $line"`
  await shell.type(`exec 9<> <(:); stty -echo -opost; ${loop}; stty sane\r`)
}

function numbers(shell: RemoteShell): number[] {
  const [, counted = ''] = /(n=1\n.*)counted\n/s.exec(withoutNotices(shell.terminal.output())) ?? []
  return counted
    .trimEnd()
    .split('\n')
    .map(line => Number(/^n=(\d+)$/.exec(line)?.[1] ?? Number.NaN))
}

/** What our client says about its connection, each in a line of its own, wherever the node's output was. */
function withoutNotices(output: string): string {
  return output.replace(/\r\n\[(?:Connection lost|The node has lost|Connected again)[^\]]*\]\r\n/g, '')
}

describe(`10 MB through connections that break ${CUTS} times`, () => {
  let toClient: ChaosProxy
  let toAgent: ChaosProxy
  let distant: Node

  beforeAll(async () => {
    toClient = await ChaosProxy.to(stack.httpsPort)
    toAgent = await ChaosProxy.to(stack.httpsPort)
    distant = await stack.addNode('distant', { endpoint: toAgent.endpoint })
  })

  afterAll(async () => {
    await toClient?.[Symbol.asyncDispose]()
    await toAgent?.[Symbol.asyncDispose]()
  })

  const sides = {
    'of the client': () => ({ proxies: [toClient], node: stack.node }),
    'of the node': () => ({ proxies: [toAgent], node: distant }),
    'of both': () => ({ proxies: [toClient, toAgent], node: distant }),
  }
  for (const [side, wiring] of Object.entries(sides)) {
    test(`${side}, downward: every byte is printed once`, async () => {
      const { proxies, node } = wiring()
      await using shell = await open(proxies, node)
      const file = join(scratch, 'download')
      const data = randomBytes(7.5 * MEGABYTE).toString('base64')
      await writeFile(file, data)
      await shell.run('stty raw -echo')
      cutDuring(proxies, 10 * MEGABYTE)
      await shell.type(`printf '<%s' begin:; cat ${file}; printf ':%s' 'end>'\r`)
      await shell.terminal.waitFor('<begin:')
      await shell.terminal.waitForBytes(data.length, { timeoutMs: 50_000 })
      await shell.terminal.waitFor(':end>')
      const [, printed = ''] = /<begin:(.*):end>/.exec(withoutNotices(shell.terminal.output())) ?? []
      expect(sha256(printed)).toBe(sha256(data))
      expect(proxies.map(proxy => proxy.cuts)).toEqual(proxies.map(() => CUTS))
    })

    test(`${side}, upward: every byte that is pasted arrives once`, async () => {
      const { proxies, node } = wiring()
      await using shell = await open(proxies, node)
      const data = randomBytes(7.5 * MEGABYTE).toString('base64')
      await shell.run('stty raw -echo')
      await shell.type(`printf 'ready%s' '|'; head -c ${data.length} | sha256sum; stty sane\r`)
      await shell.terminal.waitFor('ready|')
      cutDuring(proxies, 10 * MEGABYTE)
      await shell.type(data)
      await shell.terminal.waitFor(`${sha256(data)}  -`, { timeoutMs: 50_000 })
      expect(proxies.map(proxy => proxy.cuts)).toEqual(proxies.map(() => CUTS))
    })
  }

  async function open(proxies: ChaosProxy[], node: Node): Promise<RemoteShell> {
    const endpoint = proxies.includes(toClient) ? toClient.endpoint : stack.endpoint
    return await connect(stack, [node.id], { env: { SALLYPORT_ENDPOINT_URL: endpoint } })
  }

  /** Breaks them as often as said while so many bytes go through, never at the same time. */
  function cutDuring(proxies: ChaosProxy[], bytes: number): void {
    for (const [index, proxy] of proxies.entries()) proxy.cutEvery(bytes / (CUTS + 1) - index * 10_000, CUTS)
  }

  test('a connection that stands still is noticed and replaced, on either side', async () => {
    await using near = await open([toClient], stack.node)
    await using far = await open([], distant)
    expect(await near.run('echo moves')).toBe('moves')
    toClient.stall()
    toAgent.stall()
    const [accepted, agentAccepted] = [toClient.accepted, toAgent.accepted]
    // The slowest to notice is the agent: a ping every 20 s, and 8 s for its answer.
    const answers = [near, far].map(async shell => {
      await shell.type(`echo "still $((40 + 2))"\r`)
      await shell.terminal.waitFor('still 42', { timeoutMs: 40_000 })
    })
    await Promise.all(answers)
    expect(toClient.accepted).toBeGreaterThan(accepted)
    expect(toAgent.accepted).toBeGreaterThan(agentAccepted)
  })
})

function sha256(data: string): string {
  return createHash('sha256').update(data, 'latin1').digest('hex')
}
