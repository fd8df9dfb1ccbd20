import { describe, expect, test } from 'vitest'
import type { ApiClient } from '../client.ts'
import { chooseTargets, type TargetOptions } from './targets.ts'

const id = (n: number) => `mi-${String(n).padStart(17, '0')}`

const clientOf = (count: number) => {
  const calls: unknown[] = []
  const nodes = Array.from({ length: count }, (_, i) => ({ InstanceId: id(i), Name: `web-${i}` }))
  const client: ApiClient = {
    call: async (_, operation, input) => {
      calls.push([operation, input])
      const tagged = JSON.stringify(input).includes('tag:Name')
      return { InstanceInformationList: tagged ? [] : nodes }
    },
  }
  return { client, calls }
}

const choose = (words: string[], options: TargetOptions = {}, count = 3) =>
  chooseTargets(clientOf(count).client, words, options, async () => true)

describe('targets are', () => {
  test('ids and names, each once, however they are written', async () => {
    const { client, calls } = clientOf(3)
    const words = ['web-1', `${id(2)},WEB-1`, 'web-2']
    expect(await chooseTargets(client, words, {}, async () => true)).toEqual({ InstanceIds: [id(1), id(2)] })
    const lists = calls.filter(call => !JSON.stringify(call).includes('tag:Name'))
    expect(lists, 'the nodes are listed once, whatever the number of names').toHaveLength(1)
  })

  test.each([
    [['tag:env=dev'], [{ Key: 'tag:env', Values: ['dev'] }]],
    [
      ['tag:env=dev,test', 'tag:role=web'],
      [
        { Key: 'tag:env', Values: ['dev', 'test'] },
        { Key: 'tag:role', Values: ['web'] },
      ],
    ],
    [['tag:a:b=c=d'], [{ Key: 'tag:a:b', Values: ['c=d'] }]],
    [['tag:env'], [{ Key: 'tag-key', Values: ['env'] }]],
  ])('tags: %j', async (words, Targets) => {
    expect(await choose(words)).toEqual({ Targets })
  })

  test.each([
    [['Key=tag:env,Values=dev,test'], [{ Key: 'tag:env', Values: ['dev', 'test'] }]],
    [['Key=InstanceIds,Values=[a,b]'], [{ Key: 'InstanceIds', Values: ['a', 'b'] }]],
    [
      ['Key=a,Values=b', '{"Key":"c","Values":["d,e"]}'],
      [
        { Key: 'a', Values: ['b'] },
        { Key: 'c', Values: ['d,e'] },
      ],
    ],
    [['[{"Key":"a","Values":["b"]}]'], [{ Key: 'a', Values: ['b'] }]],
  ])("in AWS's syntax: %j", async (targets, Targets) => {
    expect(await choose([], { targets })).toEqual({ Targets })
  })
})

describe('it is refused', () => {
  test.each<[string, string[], TargetOptions]>([
    ['There are no targets.', [], {}],
    ['Give nodes or tags, or --targets, or --all: only one of these.', ['web-1'], { all: true }],
    ['Give nodes or tags, not both: web-1 tag:env=dev', ['web-1', 'tag:env=dev'], {}],
    ['"tag:=x" is no tag', ['tag:=x'], {}],
    ['"tag:env=" is no tag', ['tag:env='], {}],
    ['--targets is "env=dev": expected Key=tag:env,Values=dev,test', [], { targets: ['env=dev'] }],
    ['--targets is not JSON', [], { targets: ['[{'] }],
    ['--targets: expected Key=', [], { targets: ['[{"Key":"a"}]'] }],
    [
      'At most 5 conditions may be given; these are 6.',
      ['a', 'b', 'c', 'd', 'e', 'f'].map(k => `tag:${k}=1`),
      {},
    ],
  ])('%s', async (message, words, options) => {
    await expect(choose(words, options)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(message),
    })
  })

  test('to name a node that there is not, with the nearest', async () => {
    await expect(choose(['web-1', 'wbe-2'])).rejects.toThrow('There is no node "wbe-2". Did you mean web-')
  })

  test('to name more nodes than the API takes', async () => {
    const words = Array.from({ length: 51 }, (_, i) => id(i))
    await expect(choose(words)).rejects.toThrow('These are 51 nodes. At most 50 may be named one by one')
  })

  test('to run on all nodes where none is online', async () => {
    await expect(choose([], { all: true }, 0)).rejects.toThrow('No node is online.')
  })
})
