import { describe, expect, test } from 'vitest'
import { byName, COMMAND_ID, scene, scripts } from './testing-document.ts'

const shell12 = (properties: unknown, parameters: unknown = {}) => ({
  schemaVersion: '1.2',
  parameters,
  runtimeConfig: { 'aws:runShellScript': { properties } },
})

describe('what a step comes to', () => {
  const ends: [string, string, string, number][] = [
    ['exit 0', 'true', 'Success', 0],
    ['exit 168', 'exit 168', 'Success', 168],
    ['exit 169', 'exit 169', 'Failed', 169],
    ['another code', 'exit 3', 'Failed', 3],
    ['137 of its own', 'exit 137', 'Failed', 137],
    ['a signal of its own', 'kill -9 $$', 'Failed', 137],
    ['a command that does not exist', 'no-such-command-here', 'Failed', 127],
  ]
  test.each(ends)('%s', async (_, script, status, code) => {
    const { steps, ...outcome } = await scene(scripts({ one: script })).run()
    expect(steps).toMatchObject([{ name: 'one', status, code }])
    expect(outcome).toEqual({ status, trace: '', reboot: false })
  })

  test('the words of the stock agent are on stderr, on a line of their own', async () => {
    const { steps } = await scene(
      scripts({ silent: 'exit 3', whole: 'echo oops >&2; exit 4', cut: 'printf oops >&2; echo out; exit 5' }),
    ).run()
    expect(byName(steps, 'silent').standardError).toBe('failed to run commands: exit status 3')
    expect(byName(steps, 'whole').standardError).toBe('oops\nfailed to run commands: exit status 4')
    const cut = byName(steps, 'cut')
    expect(cut.standardError).toBe('oops\nfailed to run commands: exit status 5')
    expect(cut.output).toBe('out\n\n----------ERROR-------\noops\nfailed to run commands: exit status 5')
  })

  test('168 and 169 say so, and the rest is skipped', async () => {
    const { steps, status } = await scene(scripts({ one: 'echo a; echo b >&2; exit 168', two: 'true' })).run()
    expect(status).toBe('Success')
    expect(byName(steps, 'one')).toMatchObject({
      output: 'a\n',
      standardOutput:
        'a\n\nStep exited with code 168. Therefore, marking step as succeeded. Further document steps will be skipped.',
      standardError: '',
    })
    expect(byName(steps, 'two')).toMatchObject({
      status: 'Skipped',
      code: 0,
      output:
        'Plugin with name aws:runShellScript and id two skipped due to prior step with an exit condition',
    })
    const failed = await scene(scripts({ one: 'exit 169', two: 'true' })).run()
    expect(failed.status).toBe('Failed')
    expect(failed.steps[0]?.standardOutput).toContain('Step exited with code 169')
    expect(failed.steps[0]?.standardError).toContain('marking step as Failed')
  })

  test('a time-out ends the step with 137 and not the document', async () => {
    const started = performance.now()
    const { steps, status } = await scene(
      scripts({ slow: { runCommand: ['echo begun; sleep 60'], timeoutSeconds: '5' }, next: 'true' }),
    ).run()
    expect(performance.now() - started).toBeLessThan(9_000)
    expect(status).toBe('TimedOut')
    expect(byName(steps, 'slow')).toMatchObject({ status: 'TimedOut', code: 137, standardOutput: 'begun\n' })
    expect(byName(steps, 'next').status).toBe('Success')
  }, 20_000)

  test('a cancel ends the step that runs, and nothing else runs, not even the finally step', async () => {
    const cancel = new AbortController()
    const { run, until } = scene(
      scripts({
        slow: 'trap "" TERM; echo begun; sleep 60 & wait',
        next: { runCommand: 'true', finallyStep: true },
      }),
      { signal: cancel.signal },
    )
    const running = run()
    await until('slow stdout', 'begun')
    cancel.abort()
    const { steps, status } = await running
    expect(status).toBe('Cancelled')
    expect(byName(steps, 'slow')).toMatchObject({ status: 'Cancelled', code: 137, standardOutput: 'begun\n' })
    expect(byName(steps, 'next').status).toBe('Cancelled')
  }, 20_000)
})

describe('the order of steps', () => {
  test('a failure does not stop the document, and every step is told as it ends', async () => {
    const { run, told, progress } = scene(scripts({ one: 'exit 1', two: 'echo two' }))
    const { status, steps } = await run()
    expect(status).toBe('Failed')
    expect(told).toEqual(steps)
    expect(byName(steps, 'two').standardOutput).toBe('two\n')
    expect(progress).toHaveLength(1)
  })

  const flow: [string, Record<string, unknown>, string, string, string, number][] = [
    ['onFailure exit', { onFailure: 'exit' }, 'exit 3', 'Failed', 'Skipped', 3],
    ['onFailure successAndExit', { onFailure: 'successAndExit' }, 'exit 3', 'Success', 'Skipped', 168],
    ['onFailure exit of a step that succeeds', { onFailure: 'exit' }, 'true', 'Success', 'Success', 0],
    ['onSuccess exit', { onSuccess: 'exit' }, 'true', 'Success', 'Skipped', 0],
    ['onSuccess exit of a step that fails', { onSuccess: 'exit' }, 'exit 1', 'Failed', 'Success', 1],
  ]
  test.each(flow)('%s', async (_, inputs, script, first, second, code) => {
    const { steps } = await scene(scripts({ one: { ...inputs, runCommand: [script] }, two: 'true' })).run()
    expect(steps.map(step => step.status)).toEqual([first, second])
    expect(steps[0]?.code).toBe(code)
  })

  test('onFailure is about failures, not about time-outs', async () => {
    const { steps } = await scene(
      scripts({ one: { onFailure: 'exit', runCommand: ['sleep 60'], timeoutSeconds: 5 }, two: 'true' }),
    ).run()
    expect(steps.map(step => step.status)).toEqual(['TimedOut', 'Success'])
  }, 20_000)

  test.each([true, 'true'])('the finally step (%j) runs although a step asked to exit', async finallyStep => {
    const { steps } = await scene(
      scripts({ one: 'exit 169', two: 'true', last: { finallyStep, runCommand: ['echo cleaned'] } }),
    ).run()
    expect(steps.map(step => step.status)).toEqual(['Failed', 'Skipped', 'Success'])
    expect(byName(steps, 'last').standardOutput).toBe('cleaned\n')
  })

  test('finallyStep means nothing but on the last step', async () => {
    const { steps } = await scene(
      scripts({ one: 'exit 168', two: { finallyStep: true, runCommand: ['true'] }, last: 'true' }),
    ).run()
    expect(steps.map(step => step.status)).toEqual(['Success', 'Skipped', 'Skipped'])
  })
})

describe('schema 1.2', () => {
  test('AWS-RunShellScript', async () => {
    const document = shell12(
      [
        {
          id: '0.aws:runShellScript',
          runCommand: '{{ commands }}',
          workingDirectory: '{{ workingDirectory }}',
          timeoutSeconds: '{{ executionTimeout }}',
        },
      ],
      {
        commands: { type: 'StringList' },
        workingDirectory: { type: 'String', default: '' },
        executionTimeout: { type: 'String', default: '3600' },
      },
    )
    const { run, request } = scene(document, {
      parameters: { commands: ['cd /', 'pwd', 'echo $0 $$ >&2'], workingDirectory: '/tmp' },
    })
    const { steps } = await run()
    expect(steps).toMatchObject([{ name: 'aws:runShellScript', status: 'Success', standardOutput: '/\n' }])
    const script = `${request.directory}/awsrunShellScript/0.awsrunShellScript/_script.sh`
    expect(steps[0]?.standardError).toMatch(new RegExp(`^${script} \\d+\\n$`))
  })

  test('a list of properties is one result, put together as the stock agent does', async () => {
    const { steps } = await scene(
      shell12([
        { id: 'a', runCommand: ['echo one'] },
        { id: 'b', runCommand: ['echo two; exit 7'] },
        { id: 'c', runCommand: ['printf three; exit 8'] },
      ]),
    ).run()
    expect(steps).toHaveLength(1)
    expect(steps[0]).toMatchObject({ status: 'Failed', code: 7, standardOutput: 'one\n\ntwo\n\nthree' })
  })

  test('properties may be one object', async () => {
    const { steps } = await scene(shell12({ id: 'a', runCommand: ['echo one'] })).run()
    expect(steps[0]).toMatchObject({ status: 'Success', standardOutput: 'one\n' })
  })
})

describe('documents that cannot be run', () => {
  const documents: [string, unknown, string][] = [
    ['no object', 'text', 'not a JSON object'],
    ['an automation', { schemaVersion: '0.3', mainSteps: [] }, 'schema version 0.3'],
    ['no steps', { schemaVersion: '2.2', mainSteps: [] }, 'no steps'],
    ['no name', { schemaVersion: '2.2', mainSteps: [{ action: 'aws:runShellScript' }] }, 'mainSteps[0].name'],
    ['a parameter without a value', scripts({ a: 'true' }, { parameters: { p: { type: 'String' } } }), "'p'"],
    [
      'a type that is none',
      scripts({ a: 'true' }, { parameters: { p: { type: 'Str', default: '' } } }),
      'types',
    ],
  ]
  test.each(documents)('%s', async (_, document, words) => {
    const { run, told } = scene(document)
    expect(await run()).toMatchObject({ status: 'Failed', steps: [], trace: expect.stringContaining(words) })
    expect(told).toEqual([])
  })

  test('two steps of one name, also on systems that do not tell case', async () => {
    const step = (name: string) => ({ action: 'aws:runShellScript', name, inputs: { runCommand: ['true'] } })
    const { status, trace } = await scene({
      schemaVersion: '2.2',
      mainSteps: [step('One'), step('one')],
    }).run()
    expect({ status, trace }).toEqual({
      status: 'Failed',
      trace: "Two steps of the document have the name 'one'.",
    })
  })
})

describe('plugins that are not to be had', () => {
  const plugin = (schemaVersion: string, action: string, precondition?: unknown) => ({
    schemaVersion,
    mainSteps: [{ action, name: 'one', inputs: {}, precondition }],
  })
  const windows = { StringEquals: ['platformType', 'Windows'] }
  const cases: [string, unknown, string, string][] = [
    ['unknown', plugin('2.2', 'aws:nonsense'), 'Failed', 'aws:nonsense is not supported by this version'],
    [
      'of Windows in 2.2',
      plugin('2.2', 'aws:psModule'),
      'Skipped',
      'due to unsupported plugin: aws:psModule',
    ],
    ['of Windows in 2.0', plugin('2.0', 'aws:psModule'), 'Failed', 'is not supported in current platform'],
    ['of Distributor', plugin('2.2', 'aws:configurePackage'), 'Failed', 'package manager'],
    ['inventory', plugin('2.2', 'aws:softwareInventory'), 'Failed', 'aws:softwareInventory is not available'],
    ['an update nobody can do', plugin('2.2', 'aws:updateSsmAgent'), 'Failed', 'cannot update itself'],
    [
      'for Windows only',
      plugin('2.2', 'aws:runPowerShellScript', windows),
      'Skipped',
      'unsatisfied preconditions',
    ],
    ['a precondition before 2.2', plugin('2.0', 'aws:runShellScript', windows), 'Failed', 'prior to 2.2'],
  ]
  test.each(cases)('%s', async (_, document, status, words) => {
    const { steps } = await scene(document).run()
    expect(steps).toMatchObject([{ status, output: expect.stringContaining(words) }])
    expect(steps[0]?.code).toBe(status === 'Failed' ? 1 : 0)
  })

  test('a refresh of associations succeeds and says that there are none', async () => {
    const { steps } = await scene(plugin('2.2', 'aws:refreshAssociation')).run()
    expect(steps[0]).toMatchObject({
      status: 'Success',
      standardOutput: expect.stringContaining('nothing to refresh'),
    })
  })

  test('an agent that can update itself is asked to', async () => {
    const asked: unknown[] = []
    const document = {
      schemaVersion: '1.2',
      parameters: { version: { type: 'String', default: '' } },
      runtimeConfig: {
        'aws:updateSsmAgent': {
          properties: [
            { agentName: 'amazon-ssm-agent', allowDowngrade: 'true', targetVersion: '{{ version }}' },
          ],
        },
      },
    }
    const { steps } = await scene(document, {
      parameters: { version: '1.2.3' },
      update: async ({ signal: _, ...input }) => {
        asked.push(input)
        return { status: 'Success', code: 0, stdout: 'updated', stderr: '' }
      },
    }).run()
    expect(asked).toEqual([{ targetVersion: '1.2.3', allowDowngrade: true }])
    expect(steps).toMatchObject([{ status: 'Success', standardOutput: 'updated' }])
  })
})

describe('reboot', () => {
  test('194 restarts the machine once the progress is safe, and the step runs again after it', async () => {
    const order: string[] = []
    const document = scripts({
      one: 'echo first',
      two: 'echo here; test -e "$MARK" && exit 0; touch "$MARK"; exit 194',
      three: 'echo third',
    })
    const before = scene(document, {
      reboot: async () => void order.push(`reboot after ${before.progress.length}`),
    })
    const variables = { PATH: process.env.PATH, MARK: `${before.request.directory}/mark` }
    Object.assign(before.request.environment, { variables })
    expect(await before.run()).toMatchObject({ status: 'SuccessAndReboot', reboot: true })
    expect(order).toEqual(['reboot after 2'])
    expect(before.told.map(step => step.name)).toEqual(['one'])
    const resume = JSON.parse(JSON.stringify(before.progress.at(-1)))
    const after = scene(document, { resume, directory: before.request.directory })
    Object.assign(after.request.environment, { variables })
    const { steps, status } = await after.run()
    expect(status).toBe('Success')
    expect(after.told.map(step => step.name)).toEqual(['two', 'three'])
    expect(steps.map(step => step.standardOutput)).toEqual(['first\n', 'here\nhere\n', 'third\n'])
  })

  test('in a list of properties it goes on with the element that asked', async () => {
    const document = shell12(
      [
        { id: 'a', runCommand: ['echo a; exit 3'] },
        { id: 'b', runCommand: ['echo b; test -e "$SSM_mark" && exit 0; touch "$SSM_mark"; exit 194'] },
      ],
      { mark: { type: 'String', interpolationType: 'ENV_VAR' } },
    )
    const before = scene(document, { reboot: async () => {} })
    const parameters = { mark: `${before.request.directory}/mark` }
    Object.assign(before.request, { parameters })
    expect((await before.run()).reboot).toBe(true)
    const resume = JSON.parse(JSON.stringify(before.progress.at(-1)))
    const { steps } = await scene(document, { resume, parameters, directory: before.request.directory }).run()
    expect(steps).toMatchObject([{ status: 'Failed', code: 3, standardOutput: 'a\n\nb\nb\n' }])
  })

  test('a machine that cannot be restarted fails the document', async () => {
    const { run } = scene(scripts({ one: 'exit 194' }))
    expect(await run()).toMatchObject({
      status: 'Failed',
      reboot: false,
      trace: expect.stringContaining('restarted'),
    })
  })
})

describe('the environment of scripts', () => {
  test('is what the stock agent gives, and nothing of the agent', async () => {
    const { steps } = await scene(
      scripts({
        one: {
          runCommand: ['env; tty; cat; pwd'],
          environment: { GREETING: 'hello', SSM_COMMAND_ID: 'forged', AWS_SSM_INSTANCE_ID: 'forged' },
          workingDirectory: '/usr',
        },
      }),
      { variables: { SALLYPORT_SECRET: 'x', NOTIFY_SOCKET: '/run/x', HOME: '/root' } },
    ).run()
    const lines = byName(steps, 'one').standardOutput.split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'AWS_SSM_INSTANCE_ID=mi-0123456789abcdef0',
        'AWS_SSM_REGION_NAME=eu-test-1',
        `SSM_COMMAND_ID=${COMMAND_ID}`,
        'GREETING=hello',
        'HOME=/root',
        'not a tty',
        '/usr',
      ]),
    )
    expect(lines.some(line => /^AWS_SSM_PLATFORM_NAME=./.test(line))).toBe(true)
    expect(lines.some(line => /^AWS_SSM_PLATFORM_VERSION=/.test(line))).toBe(true)
    expect(lines.join('\n')).not.toMatch(/SALLYPORT_(?!STEP=)|NOTIFY_SOCKET/)
  })

  test('a working directory that is not there fails the step with its name', async () => {
    const { steps } = await scene(
      scripts({ one: { runCommand: ['true'], workingDirectory: '/no/such' } }),
    ).run()
    expect(steps[0]).toMatchObject({
      status: 'Failed',
      code: 1,
      standardError: 'failed to run commands: chdir /no/such: no such file or directory',
    })
  })

  test('the first line says what runs the script', async () => {
    const { steps } = await scene(scripts({ one: '#!/usr/bin/env cat\nhello' })).run()
    expect(steps[0]?.standardOutput).toBe('#!/usr/bin/env cat\nhello\n')
  })

  test('its streams can be opened by name', async () => {
    const { steps } = await scene(scripts({ one: 'echo out >/dev/stdout; echo err >/dev/stderr' })).run()
    expect(steps[0]).toMatchObject({ standardOutput: 'out\n', standardError: 'err\n' })
  })

  test('PowerShell that is not installed is named', async () => {
    const document = {
      schemaVersion: '2.2',
      mainSteps: [{ action: 'aws:runPowerShellScript', name: 'one', inputs: { runCommand: ['dir'] } }],
    }
    const { steps } = await scene(document, { variables: { PATH: '/nowhere' } }).run()
    expect(steps[0]?.standardError).toContain('PowerShell is not installed')
  })
})
