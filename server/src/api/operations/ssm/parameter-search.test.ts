import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

const NAMES = ['/app/db/host', '/app/db/password', '/app/url', '/apple/url', '/top', 'flat']

beforeAll(async () => {
  api = await openApi()
  for (const Name of NAMES) {
    const Type = Name.endsWith('password') ? 'SecureString' : 'String'
    const Tags = Name.startsWith('/app/') ? [{ Key: 'env', Value: 'prod' }] : []
    await api.ok('PutParameter', { Name, Value: 'one', Type, Tags })
  }
  await api.ok('PutParameter', { Name: '/app/url', Value: 'two', Overwrite: true, Tier: 'Advanced' })
  await api.ok('LabelParameterVersion', { Name: '/app/url', ParameterVersion: 1, Labels: ['live'] })
})
afterAll(() => api.dispose())

const names = async (operation: string, input: object) => {
  const { Parameters } = await api.ok(operation, input)
  return (Parameters as Array<{ Name: string }>).map(({ Name }) => Name)
}
const below = (Path: string, more: object = {}) => names('GetParametersByPath', { Path, ...more })
const filtered = (...ParameterFilters: object[]) => names('DescribeParameters', { ParameterFilters })

test('a path gives its children, and with recursion all that is below it', async () => {
  expect(await below('/app')).toEqual(['/app/url'])
  expect(await below('/app/', { Recursive: true })).toEqual(NAMES.slice(0, 3))
  expect(await below('/')).toEqual(['/top', 'flat'])
  expect(await below('/', { Recursive: true })).toEqual(NAMES)
  expect(await below('/app/url', { Recursive: true })).toEqual([])
  for (const Path of ['app', '//', '/app//', '/a b', '/app:1', '/*']) {
    expect([Path, await api.code('GetParametersByPath', { Path })]).toEqual([Path, 'ValidationException'])
  }
  const deep = { Path: '/l'.repeat(16) }
  expect(await api.code('GetParametersByPath', deep)).toBe('HierarchyLevelLimitExceededException')
})

test('a path is filtered by type, key and label', async () => {
  const recursive = (...ParameterFilters: object[]) => below('/app', { Recursive: true, ParameterFilters })
  expect(await recursive({ Key: 'Type', Values: ['SecureString'] })).toEqual(['/app/db/password'])
  expect(await recursive({ Key: 'KeyId', Option: 'BeginsWith', Values: ['alias/'] })).toEqual([
    '/app/db/password',
  ])
  const ParameterFilters = [{ Key: 'Label', Values: ['live'] }]
  const { Parameters } = await api.ok('GetParametersByPath', { Path: '/app', ParameterFilters })
  expect(Parameters).toMatchObject([{ Name: '/app/url', Value: 'one', Version: 1 }])
})

test('parameters are described by name, type, path, tier and tag', async () => {
  expect(await filtered()).toEqual(NAMES)
  expect(await filtered({ Key: 'Name', Values: ['/top', 'flat'] })).toEqual(['/top', 'flat'])
  expect(await filtered({ Key: 'Name', Option: 'BeginsWith', Values: ['/app/d'] })).toEqual(NAMES.slice(0, 2))
  expect(await filtered({ Key: 'Name', Option: 'Contains', Values: ['url'] })).toEqual(NAMES.slice(2, 4))
  expect(await filtered({ Key: 'Path', Values: ['/app'] })).toEqual(['/app/url'])
  expect(await filtered({ Key: 'Path', Option: 'OneLevel', Values: ['/app'] })).toEqual(['/app/url'])
  expect(await filtered({ Key: 'Path', Option: 'Recursive', Values: ['/app/db', '/apple'] })).toEqual([
    '/app/db/host',
    '/app/db/password',
    '/apple/url',
  ])
  expect(await filtered({ Key: 'Tier', Values: ['Advanced'] })).toEqual(['/app/url'])
  expect(await filtered({ Key: 'DataType', Values: ['text'] })).toEqual(NAMES)
  expect(await filtered({ Key: 'tag:env' })).toEqual(NAMES.slice(0, 3))
  expect(
    await filtered(
      { Key: 'tag:env', Option: 'BeginsWith', Values: ['pr'] },
      { Key: 'Type', Values: ['SecureString', 'StringList'] },
    ),
  ).toEqual(['/app/db/password'])
  expect(await filtered({ Key: 'tag:env', Values: ['test'] })).toEqual([])
  const older = { Filters: [{ Key: 'Name', Values: ['/app/'] }] }
  expect(await names('DescribeParameters', older)).toEqual(NAMES.slice(0, 3))
  expect(await names('DescribeParameters', { Shared: true })).toEqual([])
})

test('filters that there are not are refused, with those that there are', async () => {
  const wrong = async (operation: string, ParameterFilters: object[]) =>
    await api.code(operation, { ParameterFilters, ...(operation.endsWith('Path') && { Path: '/' }) })
  const both = ['DescribeParameters', 'GetParametersByPath']
  const type = { Key: 'Type', Values: ['String'] }
  for (const operation of both) {
    expect(await wrong(operation, [{ Key: 'Nope', Values: ['x'] }])).toBe('ValidationException')
    expect(await wrong(operation, [{ ...type, Option: 'Contains' }])).toBe('InvalidFilterOption')
    expect(await wrong(operation, [{ ...type, Values: ['Number'] }])).toBe('InvalidFilterValue')
    expect(await wrong(operation, [{ Key: 'Type' }])).toBe('InvalidFilterValue')
    expect(await wrong(operation, [type, type])).toBe('InvalidFilterKey')
  }
  const label = { Key: 'Label', Values: ['live'] }
  expect(await wrong('DescribeParameters', [label])).toBe('InvalidFilterKey')
  expect(await wrong('GetParametersByPath', [{ ...label, Option: 'BeginsWith' }])).toBe('InvalidFilterOption')
  for (const Key of ['tag:env', 'Name', 'Path', 'Tier', 'DataType']) {
    expect(await wrong('GetParametersByPath', [{ Key, Values: ['/x'] }])).toBe('InvalidFilterKey')
  }
  const path = { Key: 'Path', Values: ['/app'] }
  expect(await wrong('DescribeParameters', [{ ...path, Option: 'Equals' }])).toBe('InvalidFilterOption')
  const two = { Filters: [type], ParameterFilters: [type] }
  expect(await api.code('DescribeParameters', two)).toBe('ValidationException')
})

test('lists come in pages, and their tokens are theirs', async () => {
  const seen: string[] = []
  let NextToken: unknown
  do {
    const input = { Path: '/', Recursive: true, MaxResults: 2, NextToken }
    const page = await api.ok('GetParametersByPath', input)
    seen.push(...(page.Parameters as Array<{ Name: string }>).map(({ Name }) => Name))
    NextToken = page.NextToken
  } while (NextToken !== undefined)
  expect(seen).toEqual(NAMES)
  for (const token of ['x', '*']) {
    for (const [operation, input] of [
      ['GetParametersByPath', { Path: '/' }],
      ['DescribeParameters', {}],
      ['GetParameterHistory', { Name: '/top' }],
    ] as const) {
      expect(await api.code(operation, { ...input, NextToken: token })).toBe('InvalidNextToken')
    }
  }
  expect(await api.code('GetParametersByPath', { Path: '/', MaxResults: 11 })).toBe('ValidationException')
})
