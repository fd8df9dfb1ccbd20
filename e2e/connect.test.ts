import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, startSession } from './remote-shell.ts'
import { binDirectory, type Stack, startStack } from './stack.ts'
import { isRunning, openTerminal, run, sessionMembers } from './terminal.ts'

const sallyport = `${binDirectory}/sallyport`

let stack: Stack

beforeAll(async () => {
  stack = await startStack()
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

async function activeSessions(...filters: string[]): Promise<Array<{ SessionId: string; Reason?: string }>> {
  const options = filters.length > 0 ? ['--filters', ...filters] : []
  return (await stack.api('describe-sessions', '--state', 'Active', ...options)).Sessions
}

const isActive = async (sessionId: string) =>
  (await activeSessions(`key=SessionId,value=${sessionId}`)).length > 0

/** `sallyport connect` without a terminal, as a script runs it. */
function script(input: string, ...args: string[]) {
  return run(sallyport, ['connect', stack.node.id, ...args], { env: stack.env, input })
}

describe('at a terminal', () => {
  test('opens a shell by id; the exit status is the shell’s', async () => {
    await using shell = await connect(stack, [stack.node.id, '--reason', 'a look'], { cols: 90, rows: 21 })
    expect(await shell.run('stty size')).toBe('21 90')
    expect(await activeSessions()).toMatchObject([
      { SessionId: shell.sessionId, Reason: 'a look', Status: 'Connected' },
    ])
    const processes = await shell.processes()
    await shell.type('exit 42\r')
    expect(await shell.ended()).toMatchObject({ status: 42, restored: true })
    await expect.poll(processes).toEqual([])
  })

  test('opens a shell by name', async () => {
    await using shell = await connect(stack, ['node-1'])
    expect(await shell.run('echo $((2 + 2))')).toBe('4')
    // A shell that has not begun to read drops Ctrl-D.
    await shell.terminal.waitFor(/[$#] $/)
    await shell.type('\x04')
    expect(await shell.ended()).toMatchObject({ status: 0, restored: true })
  })

  test('a shell that is killed by a signal exits with 128 and its number', async () => {
    await using shell = await connect(stack)
    await shell.type('kill -KILL $$\r')
    expect(await shell.ended()).toMatchObject({ status: 137, restored: true })
  })

  test('a resize arrives', async () => {
    await using shell = await connect(stack)
    await shell.type(
      `sh -c "trap 'echo size=\\$(stty size).' WINCH; echo on-\\$((1)); while :; do sleep 0.02; done"\r`,
    )
    await shell.terminal.waitFor('on-1')
    shell.terminal.resize(71, 19)
    await shell.terminal.waitFor('size=19 71.')
  })

  test('~? helps, ~~ is a tilde, ~. leaves and ends the session', async () => {
    await using shell = await connect(stack)
    const processes = await shell.processes()
    await shell.type('\r~?')
    await shell.terminal.waitFor('~.   end the session')
    await shell.type('\r~~/no-such-file\r')
    await shell.terminal.waitFor(/ ~\/no-such-file\r\n/)
    await shell.type('\r~.')
    const { status, restored } = await shell.ended()
    expect({ status, restored }).toEqual({ status: 255, restored: true })
    await expect.poll(processes).toEqual([])
    expect(await isActive(shell.sessionId)).toBe(false)
  })

  test('~^Z stops the client as Ctrl-Z would a program, fg brings the session back', async () => {
    await using local = openTerminal({
      file: '/bin/bash',
      args: ['--norc', '--noprofile', '-i'],
      env: { ...stack.env, PS1: 'local> ' },
    })
    await local.waitFor('local> ')
    await local.send(`sallyport connect ${stack.node.id}; echo left=$?.\r`)
    await local.waitFor(/Session \S+ on/)
    await local.waitFor(/[$#] $/)
    await local.send('\r~\x1a')
    await local.waitFor('Stopped')
    await local.waitFor('local> ')
    await local.send('echo here-$((1))\r')
    await local.waitFor('here-1')
    await local.send('fg\r')
    await local.waitFor('sallyport connect')
    await local.send('exit 5\r')
    await local.waitFor('local> ')
    await local.send('echo left=$?.\r')
    await local.waitFor('left=5.')
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends the session and gives the terminal back', async (signal, expected) => {
    await using shell = await connect(stack)
    const processes = await shell.processes()
    process.kill(shell.clientPid, signal)
    const { status, restored } = await shell.ended()
    expect({ status, restored }).toEqual({ status: expected, restored: true })
    await expect.poll(processes).toEqual([])
    expect(await isActive(shell.sessionId)).toBe(false)
  })
})

describe('in a script', () => {
  test('runs what it reads, ends by itself, and exits with the last status', async () => {
    const { code, stdout, stderr } = await script('echo hi-$((1))\nexit 3\n')
    expect(code).toBe(3)
    expect(stdout).toContain('hi-1')
    expect(stderr).toBe('')
  })

  test('the end of the input ends the shell', async () => {
    const { code, stdout } = await script('echo "last word: $((40 + 2))"\n')
    expect(code).toBe(0)
    expect(stdout).toContain('last word: 42')
  })

  test('a reader that goes away ends the session', async () => {
    const pipe = `echo 'echo sid=$(ps -o sid= -p $$). ; while :; do echo line; done' | "$0" connect "$1" | grep -m1 -a 'sid= *[0-9]'`
    const { stdout } = await run('/bin/sh', ['-c', pipe, sallyport, stack.node.id], { env: stack.env })
    const leader = Number(/sid= *(\d+)/.exec(stdout)?.[1])
    expect(leader).toBeGreaterThan(1)
    await expect.poll(() => sessionMembers(leader), { timeout: 10_000 }).toEqual([])
  })

  test('SIGTERM to the client ends the session', async () => {
    const client = spawn(sallyport, ['connect', stack.node.id], {
      env: { ...process.env, ...stack.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    client.stdin.write('echo sid=$(ps -o sid= -p $$).\n')
    // Not `for await`: leaving that closes the pipe, which ends the client in another way.
    const leader = await new Promise<number>(resolve => {
      let printed = ''
      client.stdout.on('data', chunk => {
        printed += chunk
        const sid = /sid= *(\d+)\./.exec(printed)?.[1]
        if (sid !== undefined) resolve(Number(sid))
      })
    })
    client.kill('SIGTERM')
    expect(await once(client, 'exit')).toEqual([143, null])
    await expect.poll(() => sessionMembers(leader)).toEqual([])
  })
})

describe('ended by somebody else', () => {
  test('TerminateSession ends client, shell and what the shell left behind', async () => {
    await using shell = await connect(stack)
    const processes = await shell.processes()
    // One that ignores the hang-up, and one that has left the session of the terminal.
    const left = await shell.run(
      `nohup sleep 600 > /dev/null 2>&1 & echo $!; sh -c 'setsid sleep 601 & echo $!; wait' & sleep 0.2; true`,
    )
    const pids = left.match(/^\d+$/gm)?.map(Number) ?? []
    expect(pids.map(isRunning)).toEqual([true, true])
    const { SessionId } = await stack.api('terminate-session', '--session-id', shell.sessionId)
    expect(SessionId).toBe(shell.sessionId)
    const { status, said, restored } = await shell.ended()
    expect({ status, restored }).toEqual({ status: 1, restored: true })
    expect(said).toContain('sallyport: The session was ended by user/admin.')
    await expect.poll(processes, { timeout: 5_000 }).toEqual([])
    await expect.poll(() => pids.map(isRunning), { timeout: 5_000 }).toEqual([false, false])
  })

  test('sessions lists it, sessions end ends it', async () => {
    await using shell = await connect(stack, [stack.node.id, '--reason', 'nothing much'])
    const listed = await stack.sallyport('sessions')
    expect(listed.stdout).toMatch(
      new RegExp(`^${shell.sessionId} +${stack.node.id} +Connected +user/\\S+ .* nothing much$`, 'm'),
    )
    const ended = await stack.sallyport('sessions', 'end', shell.sessionId)
    expect(ended).toMatchObject({ code: 0, stderr: `Ended ${shell.sessionId}\n` })
    expect(await shell.ended()).toMatchObject({ restored: true })
    const again = await stack.sallyport('sessions', 'end', shell.sessionId)
    expect(again).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        new RegExp(`^${shell.sessionId} had ended already, \\d+s ago: Terminated by arn:.*:user/admin\n$`),
      ),
    })
    expect((await stack.sallyport('sessions')).stdout).not.toContain(shell.sessionId)
    expect((await stack.sallyport('sessions', '--history', '--mine')).stdout).toContain(shell.sessionId)
  })

  test('sessions end says which session it could not end', async () => {
    const { code, stderr } = await stack.sallyport('sessions', 'end', 'admin-nobody')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^Could not end admin-nobody: There is no session admin-nobody\./)
  })
})

test('sessions end after a minute without a key, and after the longest time that they may take', async () => {
  const document = async (name: string, inputs: object) => {
    const file = join(stack.directory, `${name}.json`)
    const content = { schemaVersion: '1.0', description: name, sessionType: 'Standard_Stream', inputs }
    await writeFile(file, JSON.stringify(content))
    const type = ['--document-type', 'Session']
    await stack.api('create-document', '--name', name, ...type, '--content', `file://${file}`)
  }
  await document('SSM-SessionManagerRunShell', { idleSessionTimeout: '1' })
  await document('At-Most-A-Minute', { maxSessionDuration: '1' })
  const started = performance.now()
  await using idle = await connect(stack)
  await using busy = await startSession(stack, ['--document-name', 'At-Most-A-Minute'])
  const processes = await Promise.all([idle.processes(), busy.processes()])
  await busy.type('while echo tick; do sleep 1; done\r')

  const minute = { timeoutMs: 75_000 }
  await Promise.all([
    idle.terminal.waitFor('Your session timed out due to inactivity and has been terminated.', minute),
    busy.terminal.waitFor('Your session reached its maximum duration of 1 minute', minute),
  ])
  expect(performance.now() - started).toBeGreaterThan(58_000)
  const ends = await Promise.all([idle.ended(), busy.ended()])
  expect(ends).toMatchObject([{ status: 1, restored: true }, { restored: true }])
  for (const left of processes) await expect.poll(left, { timeout: 5_000 }).toEqual([])
  const { Sessions } = await stack.api('describe-sessions', '--state', 'History')
  const details = new Map(
    Sessions.map((one: { SessionId: string; Details: string }) => [one.SessionId, one.Details]),
  )
  expect(details.get(idle.sessionId)).toBe('Idle timeout')
  expect(details.get(busy.sessionId)).toBe('Maximum duration')
}, 90_000)
