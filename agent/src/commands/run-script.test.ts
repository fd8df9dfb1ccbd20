import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runDocument } from './run-document.ts'
import { runScript } from './run-script.ts'
import { StepOutput } from './step-output.ts'
import { scene, scripts, temporaryDirectory } from './testing-document.ts'

/** Processes that have the mark among their arguments; zombies have none. */
function marked(mark: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark)
      } catch {
        return false
      }
    })
}

const newMark = () => `86400.${Math.floor(Math.random() * 1e9)}`

test.each(['cancel', 'time-out'])(
  'on %s everything that the script started is gone',
  async how => {
    const mark = newMark()
    onTestFinished(() => marked(mark).forEach(pid => void process.kill(pid, 'SIGKILL')))
    const cancel = new AbortController()
    const script = [
      `sleep ${mark} &`,
      `(trap '' TERM HUP; sleep ${mark}) &`,
      `setsid sleep ${mark} &`,
      // Its parent is gone, its session another: init has it.
      `(setsid sh -c 'sleep ${mark} & sleep 0.1' &) `,
      `sh -c 'sleep ${mark} & sleep ${mark}' &`,
      'echo begun',
      `sleep ${mark}`,
    ].join('\n')
    const { run, until } = scene(scripts({ one: { runCommand: [script], timeoutSeconds: 5 } }), {
      signal: cancel.signal,
    })
    const running = run()
    await until('one stdout', 'begun')
    await expect.poll(() => marked(mark).length).toBeGreaterThanOrEqual(7)
    if (how === 'cancel') cancel.abort()
    const { status } = await running
    expect(status).toBe(how === 'cancel' ? 'Cancelled' : 'TimedOut')
    expect(marked(mark)).toEqual([])
  },
  30_000,
)

test('the kernel ends what a command started before the agent', async () => {
  const { run } = scene(scripts({ one: 'cat /proc/self/oom_score_adj' }))
  const { steps } = await run()
  expect(steps[0]?.standardOutput).toBe('500\n')
})

test('with a limit on memory no process of a script gets more', async () => {
  const { run } = scene(scripts({ one: `head -c 300M /dev/zero | tail -c 300M | wc -c` }), {
    memoryMiB: 100,
  })
  const { steps } = await run()
  expect(steps[0]?.standardOutput).toBe('0\n')
  expect(steps[0]?.standardError).toMatch(/memory/)
})

test('a cancel that came before the step keeps it from running', async () => {
  const { run, request } = scene(scripts({ one: 'touch ran' }), { signal: AbortSignal.abort() })
  expect(await run()).toMatchObject({ status: 'Cancelled', steps: [{ status: 'Cancelled', output: '' }] })
  expect(readdirSync(join(request.directory, 'one'))).not.toContain('_script.sh')
})

test('a background program that keeps the output open does not keep the step, and goes on', async () => {
  const directory = temporaryDirectory()
  const mark = newMark()
  onTestFinished(() => marked(mark).forEach(pid => void process.kill(pid, 'SIGKILL')))
  const output = new StepOutput(directory, { write: () => {}, finish: async () => {} }, false)
  const script = `trap '' PIPE; sleep ${mark} & echo done`
  const program = { file: '/bin/sh', args: ['-c', script], cwd: undefined, env: { PATH: '/usr/bin:/bin' } }
  const signal = new AbortController().signal
  const end = await runScript(program, { signal, timeoutMs: 60_000, output, lingerMs: 100 })
  expect(end).toEqual({ kind: 'exited', code: 0 })
  expect(output.head('stdout')).toBe('done\n')
  expect(output.head('stderr')).toContain('keeps its output open')
  await output.close()
  expect(marked(mark)).toHaveLength(1)
})

test('a background program with output of its own does not delay anything, and is left alone', async () => {
  const mark = newMark()
  onTestFinished(() => marked(mark).forEach(pid => void process.kill(pid, 'SIGKILL')))
  const started = performance.now()
  const { run } = scene(scripts({ one: `sleep ${mark} >/dev/null 2>&1 & echo started` }))
  expect((await run()).steps).toMatchObject([
    { status: 'Success', standardOutput: 'started\n', standardError: '' },
  ])
  expect(performance.now() - started).toBeLessThan(5_000)
  expect(marked(mark)).toHaveLength(1)
})

test('200 MB of output: 100 MiB on the disk, little in memory, and the program comes to its end', async () => {
  const before = process.memoryUsage().rss
  let peak = 0
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 20)
  const { request, finished } = scene(
    scripts({ one: 'head -c 200000000 /dev/zero | tr "\\0" x; echo end >&2' }),
  )
  let written = 0
  const open = request.output.open
  request.output = {
    open: step => ({
      ...open(step),
      write: (_, bytes) => {
        written += bytes.length
      },
    }),
  }
  const { steps } = await runDocument(request)
  clearInterval(watch)
  expect(steps[0]).toMatchObject({ status: 'Success', standardError: 'end\n' })
  expect(steps[0]?.standardOutput).toMatch(/^x{23980}--output truncated--$/)
  expect(steps[0]?.output).toMatch(/^x+\n---Output truncated---\n----------ERROR-------\nend\n$/)
  expect(steps[0]?.output).toHaveLength(2_500)
  const file = join(request.directory, 'one', 'stdout')
  expect(statSync(file).size).toBe(100 * 1024 * 1024)
  expect(execFileSync('tail', ['-c', '23', file]).toString()).toBe(
    '\n--output truncated--\n'.padStart(23, 'x'),
  )
  expect(written).toBeLessThanOrEqual(100 * 1024 * 1024 + 64)
  expect(finished).toEqual([{ step: 'one', truncated: { stdout: true, stderr: false } }])
  expect(peak - before).toBeLessThan(80 * 1024 * 1024)
}, 60_000)

test('output is passed on while the script runs', async () => {
  const cancel = new AbortController()
  const { run, until } = scene(scripts({ one: 'echo out; echo err >&2; sleep 60' }), {
    signal: cancel.signal,
  })
  const running = run()
  await until('one stdout', 'out\n')
  await until('one stderr', 'err\n')
  cancel.abort()
  await running
})

test('a script that the system does not start says why', async () => {
  const { run } = scene(scripts({ one: { runCommand: ['true'], environment: { BIG: 'x'.repeat(200_000) } } }))
  expect((await run()).steps).toMatchObject([
    {
      status: 'Failed',
      code: 1,
      standardError: expect.stringMatching(/^failed to run commands: .*too long/i),
    },
  ])
})
