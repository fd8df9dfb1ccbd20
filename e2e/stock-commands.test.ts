import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Stack, startStack } from './stack.ts'
import { StockAgent } from './stock-agent.ts'
import { stockAgent } from './stock-scene.ts'

// The unmodified amazon-ssm-agent runs the same documents as ours, with results that look the same.

const TERMINAL = /^(Success|Failed|TimedOut|Cancelled)$/
const note = stockAgent === undefined ? ' (skipped: SALLYPORT_TEST_STOCK_AGENT is not set)' : ''

let stack: Stack
let stock: StockAgent
let ours: string

describe.runIf(stockAgent !== undefined)(`commands on the unmodified agent${note}`, () => {
  beforeAll(async () => {
    stack = await startStack({ nodes: 0 })
    ours = (await stack.addNode('ours')).id
    stock = await StockAgent.start(stack, stockAgent ?? '', 'stock')
    for (const [name, content] of Object.entries(documents)) {
      const text = JSON.stringify(content)
      await stack.api('create-document', '--name', name, '--document-type', 'Command', '--content', text)
    }
  }, 120_000)

  afterAll(async () => {
    await stock?.[Symbol.asyncDispose]()
    await stack?.[Symbol.asyncDispose]()
  })

  test.each([
    ['output and exit status 0', 'echo out; echo err >&2'],
    ['another exit status', 'echo out; echo err >&2; exit 3'],
    ['no output at all', 'true'],
    ['several lines, variables, quotes', 'a="b  c"\nfor i in 1 2; do echo "$i $a"; done'],
    ['exit 168, which is a success', 'echo enough; exit 168'],
    ['exit 169, which is a failure', 'echo wrong; exit 169'],
    ['an interpreter of its own', '#!/usr/bin/env perl\nprint 6 * 7, qq(\\n);'],
    ['more than 24,000 characters', 'seq 1 10000'],
    ['more than 24,000 characters of errors', 'seq 1 10000 >&2; exit 1'],
    ['a file that is not there', 'cat /nowhere'],
  ])('AWS-RunShellScript: %s', async (_, command) => {
    const parameters = { commands: [command] }
    const [theirs, own] = await Promise.all([
      result('AWS-RunShellScript', stock.nodeId, parameters),
      result('AWS-RunShellScript', ours, parameters),
    ])
    expect(own).toEqual(theirs)
  })

  test('time-outs look alike', async () => {
    const parameters = { commands: ['echo begun; sleep 60'], executionTimeout: ['5'] }
    const [theirs, own] = await Promise.all([
      result('AWS-RunShellScript', stock.nodeId, parameters),
      result('AWS-RunShellScript', ours, parameters),
    ])
    expect(own).toMatchObject({ Status: theirs.Status, StatusDetails: theirs.StatusDetails })
    expect(own.plugins.map(({ ResponseCode }) => ResponseCode)).toEqual(
      theirs.plugins.map(({ ResponseCode }) => ResponseCode),
    )
  })

  test.each(Object.keys(documents))('%s gives the same steps', async name => {
    const [theirs, own] = await Promise.all([result(name, stock.nodeId, {}), result(name, ours, {})])
    expect(own).toEqual(theirs)
  })

  test('30 commands at once, more than the agent takes: all run, each once', async () => {
    const file = `/tmp/sallyport-stock-${process.pid}`
    const sent = await Promise.all(
      Array.from({ length: 30 }, (_, at) =>
        send('AWS-RunShellScript', stock.nodeId, {
          commands: [`echo ${at}; echo ${at} >> ${file}; sleep 1`],
        }),
      ),
    )
    const results = await Promise.all(sent.map(id => ended(id, stock.nodeId)))
    expect(results.map(({ Status }) => Status)).toEqual(sent.map(() => 'Success'))
    const listed = await result('AWS-RunShellScript', stock.nodeId, {
      commands: [`sort -n ${file} | tr '\\n' ' '; rm ${file}`],
    })
    expect(listed.plugins[0]?.Output).toBe(`${Array.from({ length: 30 }, (_, at) => at).join(' ')} `)
  }, 180_000)

  test('an agent without a control channel gets its commands, and their cancellation, by ec2messages', async () => {
    await using old = await StockAgent.start(stack, stockAgent ?? '', 'old', { polls: true })
    expect(await stack.api('get-connection-status', '--target', old.nodeId)).toMatchObject({
      Status: 'notconnected',
    })
    const parameters = { commands: ['echo out; echo err >&2; exit 3'] }
    const [theirs, own] = await Promise.all([
      result('AWS-RunShellScript', old.nodeId, parameters),
      result('AWS-RunShellScript', ours, parameters),
    ])
    expect(theirs).toEqual(own)
    const id = await send('AWS-RunShellScript', old.nodeId, { commands: ['sleep 600'] })
    while ((await invocation(id, old.nodeId)).Status !== 'InProgress');
    await stack.api('cancel-command', '--command-id', id)
    expect(await ended(id, old.nodeId)).toMatchObject({ Status: 'Cancelled' })
  }, 180_000)

  test('a cancelled one ends as Cancelled', async () => {
    const id = await send('AWS-RunShellScript', stock.nodeId, { commands: ['sleep 600'] })
    while ((await invocation(id, stock.nodeId)).Status !== 'InProgress');
    await stack.api('cancel-command', '--command-id', id)
    expect(await ended(id, stock.nodeId)).toMatchObject({ Status: 'Cancelled', StatusDetails: 'Cancelled' })
  })
})

const step = (name: string, runCommand: string | string[], more: object = {}, inputs: object = {}) => ({
  action: 'aws:runShellScript',
  name,
  ...more,
  inputs: { runCommand, ...inputs },
})

const documents = {
  'Two-Steps': {
    schemaVersion: '2.2',
    mainSteps: [step('first', ['echo 1']), step('second', ['echo 2 >&2'])],
  },
  'Goes-On': { schemaVersion: '2.2', mainSteps: [step('fails', ['exit 5']), step('runs', ['echo yes'])] },
  'Exits-Early': {
    schemaVersion: '2.2',
    mainSteps: [
      step('fails', ['exit 5'], {}, { onFailure: 'exit' }),
      step('skipped', ['echo no']),
      step('last', ['echo finally'], {}, { finallyStep: true }),
    ],
  },
  'Success-And-Exit': {
    schemaVersion: '2.2',
    mainSteps: [step('fails', ['exit 5'], {}, { onFailure: 'successAndExit' }), step('skipped', ['echo no'])],
  },
  'Not-Here': {
    schemaVersion: '2.2',
    mainSteps: [
      step('windows', ['echo no'], { precondition: { StringEquals: ['platformType', 'Windows'] } }),
      step('linux', ['echo yes'], { precondition: { StringEquals: ['platformType', 'Linux'] } }),
    ],
  },
  'With-Parameters': {
    schemaVersion: '2.2',
    parameters: {
      words: { type: 'StringList', default: ['echo a', 'echo b'] },
      word: { type: 'String', default: 'it is $((6 * 7))' },
    },
    mainSteps: [step('words', '{{ words }}'), step('word', ['echo "{{ word }}"'])],
  },
  'Old-Schema': {
    schemaVersion: '1.2',
    runtimeConfig: {
      'aws:runShellScript': {
        properties: [
          { id: '0.aws:runShellScript', runCommand: ['echo first'] },
          { id: '1.aws:runShellScript', runCommand: ['echo second', 'exit 2'] },
        ],
      },
    },
  },
}

type Plugin = { Name: string; Status: string; StatusDetails: string; ResponseCode: number; Output: string }
type Invocation = { Status: string; StatusDetails: string; ResponseCode: number }

async function send(document: string, nodeId: string, parameters: object): Promise<string> {
  const { Command } = await stack.api(
    'send-command',
    ...['--document-name', document, '--instance-ids', nodeId],
    ...['--parameters', JSON.stringify(parameters)],
  )
  return Command.CommandId
}

/** What anybody can see of it, but for the times. */
async function result(document: string, nodeId: string, parameters: object) {
  const id = await send(document, nodeId, parameters)
  const { Status, StatusDetails } = await ended(id, nodeId)
  const { CommandInvocations } = await stack.api(
    'list-command-invocations',
    ...['--command-id', id, '--details'],
  )
  const plugins: Plugin[] = CommandInvocations[0].CommandPlugins
  const streams = await Promise.all(
    plugins.map(({ Name }) =>
      stack.api(
        'get-command-invocation',
        ...['--command-id', id, '--instance-id', nodeId, '--plugin-name', Name],
      ),
    ),
  )
  return {
    Status,
    StatusDetails,
    plugins: plugins.map(plugin => ({
      Name: plugin.Name,
      Status: plugin.Status,
      StatusDetails: plugin.StatusDetails,
      ResponseCode: plugin.ResponseCode,
      Output: plugin.Output,
    })),
    streams: streams.map(({ StandardOutputContent, StandardErrorContent }) => [
      StandardOutputContent,
      StandardErrorContent,
    ]),
  }
}

function invocation(id: string, nodeId: string): Promise<Invocation> {
  return stack.api('get-command-invocation', '--command-id', id, '--instance-id', nodeId)
}

async function ended(id: string, nodeId: string): Promise<Invocation> {
  for (;;) {
    const input = { CommandId: id, InstanceId: nodeId }
    const { CommandInvocations } = await stack.ask('ListCommandInvocations', input)
    if (TERMINAL.test(CommandInvocations[0].Status)) return CommandInvocations[0]
    await sleep(20)
  }
}
