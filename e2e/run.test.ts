import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { binDirectory, type Stack, startStack } from './stack.ts'
import { openTerminal, run } from './terminal.ts'

const sallyport = `${binDirectory}/sallyport`
const NAMES = ['node-1', 'node-2', 'node-3']

let stack: Stack

beforeAll(async () => {
  stack = await startStack({ nodes: 3 })
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

const start = (...args: string[]) => {
  const terminal = openTerminal({ file: sallyport, args: ['run', ...args], env: stack.env, cols: 100 })
  onTestFinished(() => terminal[Symbol.asyncDispose]())
  return terminal
}

describe('a command on one node', () => {
  test('has its output, its errors and its exit status', async () => {
    const { code, stdout, stderr } = await stack.sallyport(
      'run',
      'node-1',
      '--',
      'echo out; echo err >&2; exit 7',
    )
    expect([code, stdout]).toEqual([7, 'out\n'])
    expect(stderr).toMatch(/^err\n/)
  })

  test('may be a script on standard input, of which nothing is lost', async () => {
    const script = '#!/bin/bash\nfor i in {1..20000}; do echo "line $i"; done\n'
    const { code, stdout } = await run(sallyport, ['run', 'node-1', '--', '-'], {
      env: stack.env,
      input: script,
    })
    expect(code).toBe(0)
    const lines = stdout.split('\n')
    expect([lines.length, lines[19_999]]).toEqual([20_001, 'line 20000'])
  })

  test('shows what is written while it runs', async () => {
    const terminal = start('node-1', '--', 'echo begun; sleep 60')
    await terminal.waitFor('begun')
    await terminal.waitFor(/node-1: running, \d/)
    await terminal.send('\x03')
    await terminal.waitFor('Cancel the command on one node? [y]es / [d]etach / [c]ontinue')
    await terminal.send('y')
    await terminal.waitFor('node-1: cancelled')
    expect(await terminal.exited).toMatchObject({ exitCode: 130 })
  })
})

describe('a command on several nodes', () => {
  test('names the node of each line, and those that failed', async () => {
    const fails = `[ "$AWS_SSM_INSTANCE_ID" = ${stack.node.id} ] && exit 4; echo fine`
    const { code, stdout, stderr } = await stack.sallyport('run', ...NAMES, '--', fails)
    expect(code).toBe(1)
    expect(stdout.split('\n').sort()).toEqual(['', 'node-2 | fine', 'node-3 | fine'])
    expect(stderr).toContain('2 of 3 nodes succeeded, 1 failed')
    expect(stderr).toContain('  node-1: exit status 4\n')
  })

  test('goes to those with a tag, and to all that are online', async () => {
    await stack.api(
      'add-tags-to-resource',
      '--resource-type',
      'ManagedInstance',
      '--resource-id',
      stack.node.id,
      '--tags',
      'Key=env,Value=dev',
    )
    expect((await stack.sallyport('run', 'tag:env=dev,test', '--', 'echo tagged')).stdout).toBe('tagged\n')
    const all = await stack.sallyport('run', '--all', '--yes', '--json', '--', 'echo hi')
    expect(all.code).toBe(0)
    const { Nodes } = JSON.parse(all.stdout)
    expect(Nodes.map((node: { StandardOutput: string }) => node.StandardOutput)).toEqual([
      'hi\n',
      'hi\n',
      'hi\n',
    ])
    expect(await stack.sallyport('run', 'tag:env=prod', '--', 'true')).toMatchObject({
      code: 1,
      stderr: 'sallyport: No node has tag:env=prod. All nodes: sallyport nodes\n',
    })
  })

  test('is left alone by whoever detaches, and looked at and cancelled later', async () => {
    const detached = await stack.sallyport('run', ...NAMES, '--detach', '--', 'echo begun; sleep 60')
    const id = detached.stdout.trim()
    const following = run(sallyport, ['command', 'output', id.slice(0, 8), 'node-2', '--follow'], {
      env: stack.env,
    })
    expect((await stack.sallyport('commands', '--status', 'InProgress')).stdout).toContain(id)
    expect((await stack.sallyport('command', 'cancel', id)).stderr).toContain(`Cancelling ${id}`)
    expect((await following).code).toBe(0)
    const { stdout } = await stack.sallyport('command', 'show', id)
    expect(stdout).toContain(`Command   ${id}`)
    for (const name of NAMES) expect(stdout).toMatch(new RegExp(`${name} +Cancell(ed|ing)`))
  })
})

test('the server may be killed in the middle: every node has run once, and everything is shown', async () => {
  const terminal = start(...NAMES, '--', 'echo begun; sleep 3; echo over')
  for (const _ of NAMES) await terminal.waitFor('begun')
  await stack.server.kill('SIGKILL')
  await terminal.waitFor('server not reachable')
  await stack.startServer()
  await terminal.waitFor('All 3 nodes succeeded', { timeoutMs: 60_000 })
  expect(await terminal.exited).toMatchObject({ exitCode: 0 })
  expect(terminal.output().match(/\| over/g)).toHaveLength(3)
})
