import { describe, expect, test } from 'vitest'
import { ApiError } from '../client.ts'
import { COMMAND_ID, nodeId, runScene } from '../run/run-scene.ts'

const names = (count: number) => Array.from({ length: count }, (_, i) => `web-${i + 1}`)

describe('on one node', () => {
  test('output and errors are those of the command, byte for byte, and nothing else is printed', async () => {
    const { server, stdout, stderr, start } = runScene(['web-1'])
    const ended = start()
    await server.called('WatchCommand')
    server.set(0, 'InProgress')
    server.print(0, 'one\x1b[2J\n')
    server.print(0, 'oops\n', 'stderr')
    await stdout.has('one')
    server.print(0, 'two')
    server.set(0, 'Success', { code: 0 })
    expect(await ended).toBe(0)
    expect(stdout.text).toBe('one\x1b[2J\ntwo')
    expect(stderr.text).toBe('oops\n')
  })

  test.each([1, 3, 125, 127, 255])('the exit status %i is that of the command', async code => {
    const { server, stderr, start } = runScene(['web-1'])
    server.set(0, 'Failed', { code })
    expect(await start()).toBe(code)
    expect(stderr.text).toBe('')
  })

  test.each([
    ['TimedOut', 'DeliveryTimedOut', 'did not take the command in time; is it offline?'],
    ['TimedOut', 'ExecutionTimedOut', 'ran for longer than it may'],
    ['Failed', 'AccessDenied', 'you may not run commands on it'],
    ['Failed', 'Undeliverable', 'is no node any more'],
  ] as const)('%s, %s is 1 and explained', async (status, details, message) => {
    const { server, stderr, start } = runScene(['web-1'])
    server.set(0, status, { details })
    expect(await start()).toBe(1)
    expect(stderr.text).toBe(`sallyport: web-1: ${message} (command ${COMMAND_ID})\n`)
  })

  test('a terminal is given nothing that drives it', async () => {
    const { server, stdout, start } = runScene(['web-1'], { terminal: true })
    server.print(0, 'a\x1b[31mred\x1b[0m\tb\x1b]0;title\x07\n10%\r20%\r\nlast')
    server.set(0, 'Success', { code: 0 })
    await start()
    expect(stdout.screen).toBe('ared\tb?]0;title?\n20%\nlast\n')
  })
})

describe('on several nodes', () => {
  test('each line has the name of its node, and comes while the command runs', async () => {
    const { server, stdout, stderr, start } = runScene(['web-1', 'database'])
    const ended = start()
    await server.called('WatchCommand')
    server.set(0, 'InProgress')
    server.set(1, 'InProgress')
    server.print(0, 'one\ntw')
    await stdout.has('one')
    server.print(1, 'oops\n', 'stderr')
    await stderr.has('oops')
    server.print(0, 'o\n')
    server.set(0, 'Success', { code: 0 })
    server.set(1, 'Success', { code: 0 })
    expect(await ended).toBe(0)
    expect(stdout.text).toBe('web-1    | one\nweb-1    | two\n')
    expect(stderr.text).toBe('database | oops\n')
  })

  test('those that share a name have their ids too', async () => {
    const { server, stdout, start } = runScene(['twin', 'twin'])
    server.print(0, 'x\n')
    for (const node of [0, 1]) server.set(node, 'Success', { code: 0 })
    await start()
    expect(stdout.text).toContain(`twin (${nodeId(0)}) | x\n`)
  })

  test('more than twenty are not followed: their output is read once, when they have ended', async () => {
    const { server, stdout, start } = runScene(names(30))
    server.pieceBytes = 4
    const ended = start()
    await server.called('WatchCommand')
    for (let i = 0; i < 30; i++) server.set(i, 'InProgress')
    for (let i = 0; i < 30; i++) server.print(i, `I am ${i}\nyes\n`)
    for (let i = 0; i < 30; i++) server.set(i, 'Success', { code: 0 })
    expect(await ended).toBe(0)
    expect(server.inputsOf('GetCommandOutput').every(input => input.WaitSeconds === undefined)).toBe(true)
    const lines = stdout.text.trim().split('\n')
    expect(lines).toHaveLength(60)
    for (let i = 0; i < 60; i += 2) expect(lines[i + 1]?.split('|')[0]).toBe(lines[i]?.split('|')[0])
  })

  test('grouped, all of a node comes below its name', async () => {
    const { server, stdout, stderr, start } = runScene(['a', 'b'])
    const ended = start({ output: 'grouped' })
    server.print(0, '1\n')
    server.print(1, '2')
    server.print(1, 'e\n', 'stderr')
    server.set(0, 'Success', { code: 0 })
    server.set(1, 'Success', { code: 0 })
    await ended
    expect(stdout.text).toBe('==> a <==\n1\n\n==> b <==\n2\n')
    expect(stderr.text).toBe('==> b (errors) <==\ne\n')
  })

  test('one that fails makes it 1, and those that failed are named at the end', async () => {
    const { server, stderr, start } = runScene(names(4))
    server.set(0, 'Success', { code: 0 })
    server.set(1, 'Failed', { code: 3 })
    server.set(2, 'TimedOut', { details: 'DeliveryTimedOut' })
    server.set(3, 'Failed', { details: 'Terminated' })
    expect(await start()).toBe(1)
    expect(stderr.text).toBe(
      [
        '✗ 1 of 4 nodes succeeded, 2 failed, 1 not run because of that, in 0.0s.',
        '  web-2: exit status 3',
        '  web-3: did not take the command in time; is it offline?',
        `More: sallyport command show ${COMMAND_ID}`,
        '',
      ].join('\n'),
    )
    expect(server.inputsOf('GetCommandOutput').some(input => input.InstanceId === nodeId(3))).toBe(false)
  })

  test('a summary is for terminals where all went well', async () => {
    const { server, stdout, stderr, start } = runScene(names(2))
    for (const node of [0, 1]) server.set(node, 'Success', { code: 0 })
    expect(await start()).toBe(0)
    expect(stdout.text + stderr.text).toBe('')
  })
})

describe('on a terminal', () => {
  test('a line at the bottom counts; those that fail are named as they do, with what they said', async () => {
    const { server, stdout, clock, start } = runScene(names(3), { terminal: true })
    const ended = start({ output: 'none' })
    await server.called('WatchCommand')
    clock.now += 12_000
    server.set(0, 'InProgress')
    server.set(1, 'InProgress')
    await stdout.has('2 running  1 waiting  12s')
    server.print(1, 'first\n1\n2\nlast \x07\n', 'stderr')
    server.set(1, 'Failed', { code: 2 })
    await stdout.has('✗ web-2: exit status 2\n    1\n    2\n    last ?\n')
    await stdout.has('1/3  1 failed  1 running  1 waiting')
    server.set(0, 'Success', { code: 0 })
    server.set(2, 'Success', { code: 0 })
    expect(await ended).toBe(1)
    expect(stdout.screen).toBe(
      [
        '✗ web-2: exit status 2',
        '    1',
        '    2',
        '    last ?',
        '✗ 2 of 3 nodes succeeded, 1 failed, in 12s.',
        `More: sallyport command show ${COMMAND_ID}`,
        '',
      ].join('\n'),
    )
  })

  test('that line never stands in the middle of output', async () => {
    const { server, stdout, clock, start } = runScene(names(2), { terminal: true })
    const ended = start()
    await server.called('WatchCommand')
    clock.now += 1000
    server.set(0, 'InProgress')
    await stdout.has('1 running')
    server.print(0, 'out\n')
    await stdout.has('web-1 | out\n')
    for (const node of [0, 1]) server.set(node, 'Success', { code: 0 })
    expect(await ended).toBe(0)
    expect(stdout.screen).toBe('web-1 | out\n✓ All 2 nodes succeeded in 1.0s.\n')
  })
})

describe('Ctrl-C', () => {
  const running = async (terminal: boolean) => {
    const scene = runScene(names(2), { terminal })
    const ended = scene.start()
    await scene.server.called('WatchCommand', 2)
    return { ...scene, ended, question: 'Cancel the command on 2 nodes? [y]es / [d]etach / [c]ontinue ' }
  }

  test('asks on a terminal; yes cancels and waits for the nodes', async () => {
    const { server, stdout, stdin, signals, ended, question } = await running(true)
    signals.emit('SIGINT')
    expect(stdout.text).toContain(question)
    expect(stdin.raw).toBe(true)
    expect(server.inputsOf('CancelCommand')).toEqual([])
    stdin.press('y')
    expect(await ended).toBe(130)
    expect(stdin.raw).toBe(false)
    expect(server.inputsOf('CancelCommand')).toEqual([{ CommandId: COMMAND_ID }])
    expect(stdout.screen).toContain('None of 2 nodes succeeded, 2 cancelled, in ')
  })

  test('goes on where the answer is c, and asks again', async () => {
    const { server, stdout, stdin, signals, ended } = await running(true)
    signals.emit('SIGINT')
    stdin.press('xc')
    expect(stdin.raw).toBe(false)
    signals.emit('SIGINT')
    stdin.press('\r')
    for (const node of [0, 1]) server.set(node, 'Success', { code: 0 })
    expect(await ended).toBe(0)
    expect(stdout.screen).not.toContain('Cancel')
  })

  test.each(['d', '\x03'])(
    'leaves the command alone where the answer is %j, and says how to look',
    async key => {
      const { server, stdout, stdin, signals, ended } = await running(true)
      signals.emit('SIGINT')
      stdin.press(key)
      expect(await ended).toBe(130)
      expect(server.inputsOf('CancelCommand')).toEqual([])
      expect(stdout.screen).toContain(`The command goes on. To look: sallyport command show ${COMMAND_ID}`)
    },
  )

  test('cancels where there is nobody to ask; a second one does not wait', async () => {
    const { server, stderr, signals, ended } = await running(false)
    server.answers.CancelCommand = {}
    signals.emit('SIGINT')
    await server.called('CancelCommand')
    signals.emit('SIGINT')
    expect(await ended).toBe(130)
    expect(stderr.text).toContain(
      `It is being cancelled, which is not waited for. To look: sallyport command show`,
    )
  })

  test('is nothing to us any more when the command has ended', async () => {
    const { server, signals, ended } = await running(true)
    for (const node of [0, 1]) server.set(node, 'Success', { code: 0 })
    await ended
    expect(signals.listenerCount('SIGINT')).toBe(0)
  })
})

test('a server that is away for a while costs nothing but a line', async () => {
  const { server, stdout, stderr, start } = runScene(['web-1'])
  server.unreachable.WatchCommand = 3
  server.unreachable.GetCommandOutput = 2
  server.print(0, 'x\n')
  server.set(0, 'Success', { code: 0 })
  expect(await start()).toBe(0)
  expect(stdout.text).toBe('x\n')
  expect(stderr.text).toMatch(
    /^(sallyport: the server cannot be reached; trying again. The command goes on.\n)+$/,
  )
})

test('a command that may not be watched was sent all the same', async () => {
  const { server, start } = runScene(['web-1'])
  server.answers.WatchCommand = new ApiError('AccessDeniedException', 'You may not', 400)
  await expect(start()).rejects.toMatchObject({
    exitCode: 1,
    message: `You may not (AccessDeniedException)\nThe command was sent and goes on. To look: sallyport command show ${COMMAND_ID}`,
  })
})

test('output that may not be read is complained of once', async () => {
  const { server, stderr, start } = runScene(['a', 'b'])
  server.answers.GetCommandOutput = new ApiError('AccessDeniedException', 'You may not', 400)
  for (const node of [0, 1]) server.set(node, 'Success', { code: 0 })
  expect(await start()).toBe(0)
  expect(stderr.text).toBe('sallyport: the output of a cannot be shown: You may not\n')
})

test('whether a command began is said to be unknown where its answer got lost', async () => {
  const { server, start } = runScene(['a'])
  const cause = Object.assign(new Error('reset'), { sent: true })
  server.answers.SendCommand = new ApiError('ConnectionFailed', 'Lost it', 0, undefined, cause)
  await expect(start()).rejects.toMatchObject({ exitCode: 255, message: /sallyport commands/ })
})

test('tags that no node has are an error', async () => {
  const { server, start } = runScene([])
  await expect(start({ targets: ['Key=tag:env,Values=a,b'] })).rejects.toMatchObject({
    exitCode: 1,
    message: 'No node has tag:env=a,b. All nodes: sallyport nodes',
  })
  expect(server.inputsOf('SendCommand')[0]).toMatchObject({
    Targets: [{ Key: 'tag:env', Values: ['a', 'b'] }],
  })
})

test('detached, the id is all that is printed', async () => {
  const { server, stdout, stderr, start } = runScene(['a'])
  expect(await start({ detach: true })).toBe(0)
  expect([stdout.text, stderr.text]).toEqual([`${COMMAND_ID}\n`, ''])
  expect(server.inputsOf('WatchCommand')).toEqual([])
})

describe('for programs', () => {
  const results = async (options: object) => {
    const { server, stdout, start } = runScene(['a', 'b'])
    server.print(0, 'grüße\n')
    server.print(1, 'oops\n', 'stderr')
    server.set(0, 'Success', { code: 0 })
    server.set(1, 'Failed', { code: 4 })
    expect(await start(options)).toBe(1)
    return stdout.text
  }

  test('--json is one object with the result of every node', async () => {
    expect(JSON.parse(await results({ json: true }))).toEqual({
      CommandId: COMMAND_ID,
      DocumentName: 'AWS-RunShellScript',
      Status: 'Failed',
      StatusDetails: 'Failed',
      TargetCount: 2,
      Nodes: [
        {
          InstanceId: nodeId(0),
          InstanceName: 'a',
          Status: 'Success',
          StatusDetails: 'Success',
          ResponseCode: 0,
          StandardOutput: 'grüße\n',
          StandardError: '',
        },
        {
          InstanceId: nodeId(1),
          InstanceName: 'b',
          Status: 'Failed',
          StatusDetails: 'Failed',
          ResponseCode: 4,
          StandardOutput: '',
          StandardError: 'oops\n',
        },
      ],
    })
  })

  test('--json-lines tells of each event', async () => {
    const events = (await results({ jsonLines: true }))
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(events[0]).toEqual({ Event: 'Command', CommandId: COMMAND_ID, TargetCount: 2 })
    expect(events).toContainEqual({
      Event: 'Output',
      InstanceId: nodeId(1),
      InstanceName: 'b',
      Stream: 'stderr',
      Content: 'oops\n',
    })
    expect(events.filter(({ Event }) => Event === 'Invocation')).toHaveLength(2)
    expect(events.at(-1)).toMatchObject({ Event: 'End', Status: 'Failed' })
  })
})

describe('--all', () => {
  const online = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ InstanceId: nodeId(i), PingStatus: 'Online' }))

  test('asks on a terminal, and runs nothing unless the answer is yes', async () => {
    const { server, stdout, stdin, start } = runScene(['a'], { terminal: true })
    server.answers.DescribeInstanceInformation = { InstanceInformationList: online(3) }
    const refused = start({ all: true })
    await stdout.has('Run it on all 3 nodes that are online? [y/N] ')
    stdin.press('n')
    await expect(refused).rejects.toThrow('Nothing was run.')
    expect(server.inputsOf('SendCommand')).toEqual([])
  })

  test('where nobody can be asked needs --yes', async () => {
    const { server, start } = runScene(['a'])
    server.answers.DescribeInstanceInformation = { InstanceInformationList: online(3) }
    await expect(start({ all: true })).rejects.toMatchObject({ exitCode: 2, message: /add --yes/ })
    expect(server.inputsOf('SendCommand')).toEqual([])
  })

  test('with --yes goes to those that are online', async () => {
    const { server, start } = runScene(['a'], { terminal: true })
    server.answers.DescribeInstanceInformation = { InstanceInformationList: online(1) }
    server.set(0, 'Success', { code: 0 })
    expect(await start({ all: true, yes: true })).toBe(0)
    expect(server.inputsOf('DescribeInstanceInformation')[0]).toMatchObject({
      Filters: [{ Key: 'PingStatus', Values: ['Online'] }],
    })
    expect(server.inputsOf('SendCommand')[0]).toMatchObject({
      Targets: [{ Key: 'sallyport:PingStatus', Values: ['Online'] }],
    })
  })
})

test('a reader that goes away ends it, and not the command', async () => {
  const { server, stdout, start } = runScene(['a'])
  const ended = start()
  await server.called('WatchCommand')
  stdout.emit('error', new Error('EPIPE'))
  expect(await ended).toBe(141)
  expect(server.inputsOf('CancelCommand')).toEqual([])
})
