import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { openPty, type Pty } from '../pty/pty.ts'
import { endProcesses } from './process-tree.ts'

const start = (file: string, args: string[]): Pty =>
  openPty({ file, args, env: { PATH: '/usr/bin:/bin', PS1: '$ ' }, cwd: '/', cols: 80, rows: 24 })

/** Waits for `name=<pid>.` of every name in the output of the terminal. */
const pidsIn = (pty: Pty, names: string[]): Promise<number[]> =>
  new Promise(resolve => {
    let text = ''
    pty.onData(chunk => {
      text += Buffer.from(chunk).toString()
      const pids = names.map(name => new RegExp(`${name}=(\\d+)\\.`).exec(text)?.[1])
      if (pids.every(pid => pid !== undefined)) resolve(pids.map(Number))
    })
  })

const isAlive = (pid: number): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

const killAtEnd = (pids: number[]): void => {
  onTestFinished(() => {
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
}

test('background and stopped jobs of a job-control shell end with it', async () => {
  const pty = start('/bin/bash', ['--norc', '--noprofile', '-i'])
  const found = pidsIn(pty, ['one', 'two', 'shell'])
  pty.write(
    Buffer.from(
      'sleep 300 & echo one=$!.\nsleep 301 & kill -STOP $!; echo two=$!.\ndisown -a; echo shell=$$.\n',
    ),
  )
  const pids = await found
  killAtEnd(pids)
  expect(pids.map(isAlive)).toEqual([true, true, true])
  const began = performance.now()
  await endProcesses(pty.pid, { graceMs: 10_000 })
  expect(performance.now() - began).toBeLessThan(5000)
  expect(pids.map(isAlive)).toEqual([false, false, false])
  await pty.exited
})

test('programs that ignore the hang-up are killed after the grace, and not before it', async () => {
  const pty = start('/bin/sh', [
    '-c',
    "trap '' HUP TERM; nohup sleep 300 & echo job=$!.; echo shell=$$.; while :; do sleep 1; done",
  ])
  const pids = await pidsIn(pty, ['job', 'shell'])
  killAtEnd(pids)
  const began = performance.now()
  await endProcesses(pty.pid, { graceMs: 300 })
  expect(performance.now() - began).toBeGreaterThanOrEqual(290)
  expect(pids.map(isAlive)).toEqual([false, false])
  expect(await pty.exited).toEqual({ exitCode: 137, signal: 9 })
})

test('a stopped shell is continued so that it can take the hang-up', async () => {
  const pty = start('/bin/sh', ['-c', 'echo shell=$$.; kill -STOP $$'])
  const pids = await pidsIn(pty, ['shell'])
  killAtEnd(pids)
  while (!/\) T /.test(readFileSync(`/proc/${pty.pid}/stat`, 'latin1'))) await new Promise(setImmediate)
  const began = performance.now()
  await endProcesses(pty.pid, { graceMs: 10_000 })
  expect(performance.now() - began).toBeLessThan(5000)
  expect((await pty.exited).signal).toBe(1)
})

test('jobs that outlived their shell are found by the session', async () => {
  const pty = start('/bin/sh', ['-c', "trap '' HUP; sleep 300 & echo job=$!."])
  const pids = await pidsIn(pty, ['job'])
  killAtEnd(pids)
  await pty.exited
  expect(pids.map(isAlive)).toEqual([true])
  await endProcesses(pty.pid, { graceMs: 50 })
  expect(pids.map(isAlive)).toEqual([false])
})

test('a child in a session of its own ends only when that is asked for', async () => {
  const detach = `setsid sh -c 'echo child=$$.; exec sleep 300'`
  for (const detached of [false, true]) {
    const pty = start('/bin/sh', [
      '-c',
      `sh -c "exec ${detach.replaceAll('"', '\\"').replaceAll('$', '\\$')}" & wait`,
    ])
    const pids = await pidsIn(pty, ['child'])
    killAtEnd(pids)
    await endProcesses(pty.pid, { graceMs: 200, detached })
    expect(pids.map(isAlive), `detached: ${detached}`).toEqual([!detached])
    await pty.exited
  }
})

test('nothing is signalled for 0, 1, the agent itself or nonsense', async () => {
  for (const pid of [0, 1, -1, process.pid, Number.NaN, 1.5]) await endProcesses(pid, { graceMs: 0 })
  expect(isAlive(process.pid)).toBe(true)
})
