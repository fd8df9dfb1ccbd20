import { describe, expect, test } from 'vitest'
import type { ApiClient } from './client.ts'
import { type ManagedNode, nearest, resolveNode } from './nodes.ts'

const id = (digit: number) => `mi-0000000000000000${digit}`
const NODES: Array<ManagedNode & { tag?: string }> = [
  { InstanceId: id(1), Name: 'web-1', ComputerName: 'Host1.example.org', PingStatus: 'Online' },
  { InstanceId: id(2), Name: 'web-2', ComputerName: 'twin', PingStatus: 'Online' },
  { InstanceId: id(3), ComputerName: 'twin\x1b[2J', PingStatus: 'ConnectionLost' },
  { InstanceId: id(4), ComputerName: 'twin', PingStatus: 'ConnectionLost' },
  { InstanceId: 'i-0123456789abcdef0', tag: 'Tagged One' },
]

/** Answers in pages of two. */
const clientOf = (nodes: typeof NODES) => {
  const calls: unknown[] = []
  const client: ApiClient = {
    call: async (_, operation, input) => {
      calls.push(operation)
      const { Filters, NextToken } = input as {
        Filters?: [{ Key: string; Values: string[] }]
        NextToken?: string
      }
      const filter = Filters?.[0]
      const found = filter
        ? nodes.filter(node => filter.Key === 'tag:Name' && filter.Values.includes(node.tag ?? ''))
        : nodes
      const from = Number(NextToken ?? 0)
      const more = from + 2 < found.length ? { NextToken: String(from + 2) } : {}
      return { InstanceInformationList: found.slice(from, from + 2), ...more }
    },
  }
  return { client, calls }
}

describe('a node is found', () => {
  test.each([
    ['by its name', 'web-1', id(1)],
    ['in any case', 'WEB-2', id(2)],
    ['by its computer name', 'host1.example.org', id(1)],
    ['by its computer name without the domain', 'host1', id(1)],
    ['by the tag Name', 'Tagged One', 'i-0123456789abcdef0'],
    ['by the beginning of its id', 'i-0123', 'i-0123456789abcdef0'],
  ])('%s', async (_, wanted, expected) => {
    expect(await resolveNode(clientOf(NODES).client, wanted)).toBe(expected)
  })

  test.each(['mi-0123456789abcdef0', 'i-01234567', 'ecs:cluster_task_runtime'])(
    'without a question when %s is an id',
    async wanted => {
      const { client, calls } = clientOf([])
      expect(await resolveNode(client, wanted)).toBe(wanted)
      expect(calls).toEqual([])
    },
  )
})

describe('a node is not found', () => {
  const attempt = (wanted: string, nodes = NODES) => resolveNode(clientOf(nodes).client, wanted)

  test('when the name is that of several: they are listed', async () => {
    await expect(attempt('twin')).rejects.toMatchObject({
      exitCode: 1,
      message: [
        '"twin" is the name of 2 nodes. Give the id of the one you mean:',
        `  ${id(2)}  web-2, twin  Online`,
        `  ${id(4)}  twin  ConnectionLost`,
      ].join('\n'),
    })
  })

  test('when there is none: the nearest names are offered, made inert', async () => {
    await expect(attempt('wbe-1')).rejects.toThrow('There is no node "wbe-1". Did you mean web-1')
    await expect(attempt('twin\x1b[2')).rejects.toThrow('Did you mean twin?[2J')
  })

  test('when nothing is near, or nothing is there', async () => {
    await expect(attempt('zzzzzz')).rejects.toThrow('There is no node "zzzzzz". All of them: sallyport nodes')
    await expect(attempt('x', [])).rejects.toThrow('you can see no nodes here at all')
  })

  test('when the beginning of an id is that of several', async () => {
    await expect(attempt('mi-000')).rejects.toThrow('"mi-000" is the name of 4 nodes')
  })
})

test.each([
  ['web1', ['web-1', 'db-1', 'web-10'], ['web-1', 'web-10']],
  ['prod', ['eu-prod-api', 'prob', 'test'], ['eu-prod-api', 'prob']],
  ['ab', ['ac', 'cd'], ['ac']],
  ['', [], []],
])('nearest to %j of %j are %j', (wanted, names, expected) => {
  expect(nearest(wanted, names)).toEqual(expected)
})
