import { createHash } from 'node:crypto'
import { amazonCommandDocuments } from '@sallyport/server/documents/amazon-command-documents'
import { amazonSessionDocuments } from '@sallyport/server/documents/session-documents'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const content = (more: object = {}) =>
  JSON.stringify({ schemaVersion: '1.0', sessionType: 'Standard_Stream', ...more })
const create = (Name: string, more: object = {}) =>
  api.call('CreateDocument', { Name, DocumentType: 'Session', Content: content(), ...more })
const update = (Name: string, description: string, more: object = {}) =>
  api.call('UpdateDocument', { Name, Content: content({ description }), DocumentVersion: '$LATEST', ...more })
const versionOf = async (input: object) => (await api.ok('GetDocument', input)).DocumentVersion

describe('a document', () => {
  test('is what it was made of', async () => {
    const Content = content({
      description: 'd',
      parameters: { p: { type: 'String', default: 'x', description: 'p' } },
    })
    const { body } = await create('made', {
      Content,
      DisplayName: 'Made',
      VersionName: 'v1',
      Tags: [{ Key: 'k', Value: 'v' }],
    })
    const description = {
      Name: 'made',
      Owner: '123456789012',
      CreatedDate: api.now / 1000,
      DocumentVersion: '1',
      DocumentType: 'Session',
      DocumentFormat: 'JSON',
      SchemaVersion: '1.0',
      PlatformTypes: ['Windows', 'Linux', 'MacOS'],
      DisplayName: 'Made',
      VersionName: 'v1',
      Sha1: createHash('sha1').update(Content).digest('hex'),
      Hash: createHash('sha256').update(Content).digest('hex'),
      HashType: 'Sha256',
      Status: 'Active',
      Description: 'd',
      Parameters: [{ Name: 'p', Type: 'String', Description: 'p', DefaultValue: 'x' }],
      LatestVersion: '1',
      DefaultVersion: '1',
    }
    expect(body).toEqual({ DocumentDescription: description })
    expect(await api.ok('DescribeDocument', { Name: 'made' })).toEqual({ Document: description })
    expect(
      await api.ok('GetDocument', { Name: 'arn:aws:ssm:us-east-1:123456789012:document/made' }),
    ).toMatchObject({ Name: 'made', Content })
    expect(await api.store.tags.list(scope, 'Document', 'made')).toEqual([{ Key: 'k', Value: 'v' }])
  })

  test('is not made of what is none', async () => {
    const cases: Array<[string, object, string]> = [
      ['made', {}, 'DocumentAlreadyExists'],
      ['AWS-Mine', {}, 'ValidationException'],
      ['amazonMine', {}, 'ValidationException'],
      ['a b', {}, 'ValidationException'],
      ['new', { DocumentType: 'Command' }, 'InvalidDocumentContent'],
      ['new', { DocumentType: undefined }, 'InvalidDocumentContent'],
      ['new', { DocumentType: 'Automation' }, 'InvalidDocumentContent'],
      ['new', { DocumentFormat: 'YAML', Content: 'a: b: c' }, 'InvalidDocumentContent'],
      ['new', { Attachments: [{ Key: 'SourceUrl', Values: ['x'] }] }, 'ValidationException'],
      ['new', { Content: '{' }, 'InvalidDocumentContent'],
      ['new', { Content: '{}' }, 'InvalidDocumentSchemaVersion'],
      ['new', { Content: content({ description: 'x'.repeat(64 * 1024) }) }, 'MaxDocumentSizeExceeded'],
      ['new', { Tags: [{ Key: 'aws:x', Value: '' }] }, 'ValidationException'],
    ]
    for (const [name, input, code] of cases) expect((await create(name, input)).code, name).toBe(code)
    expect(await api.code('GetDocument', { Name: 'new' })).toBe('InvalidDocument')
  })

  test('gets versions, of which the first stays the default until another is made it', async () => {
    await create('versions', { VersionName: 'one' })
    expect((await update('versions', 'two', { VersionName: 'two' })).body).toMatchObject({
      DocumentDescription: { DocumentVersion: '2', LatestVersion: '2', DefaultVersion: '1' },
    })
    const Name = 'versions'
    expect(await versionOf({ Name })).toBe('1')
    expect(await versionOf({ Name, DocumentVersion: '$LATEST' })).toBe('2')
    expect(await versionOf({ Name, DocumentVersion: '$DEFAULT' })).toBe('1')
    expect(await versionOf({ Name, VersionName: 'two' })).toBe('2')
    await api.ok('UpdateDocumentDefaultVersion', { Name, DocumentVersion: '2' })
    expect(await versionOf({ Name })).toBe('2')
    const { Document } = await api.ok('DescribeDocument', { Name, VersionName: 'one' })
    expect(Document).toMatchObject({ DocumentVersion: '1', DefaultVersion: '2' })
    for (const other of [
      { DocumentVersion: '3' },
      { VersionName: 'three' },
      { DocumentVersion: '9'.repeat(20) },
    ]) {
      expect(await api.code('GetDocument', { Name, ...other })).toBe('InvalidDocumentVersion')
    }
  })

  test('is not updated with what it has already, or from a version that is not the latest', async () => {
    await create('same', { VersionName: 'one' })
    const Name = 'same'
    expect(await api.code('UpdateDocument', { Name, Content: content() })).toBe('DuplicateDocumentContent')
    expect((await update(Name, 'two', { VersionName: 'one' })).code).toBe('DuplicateDocumentVersionName')
    expect((await update(Name, 'two')).status).toBe(200)
    expect((await update(Name, 'three', { DocumentVersion: '1' })).code).toBe('InvalidDocumentVersion')
    expect((await update(Name, 'three', { DocumentVersion: '2' })).status).toBe(200)
    expect((await update('nope', 'x')).code).toBe('InvalidDocument')
    expect((await update(Name, 'x', { Content: '[]' })).code).toBe('InvalidDocumentContent')
    expect(await api.code('UpdateDocumentDefaultVersion', { Name, DocumentVersion: '9' })).toBe(
      'InvalidDocumentVersion',
    )
  })

  test('goes by the version, by the name of a version, or as a whole', async () => {
    const Name = 'gone'
    await create(Name, { VersionName: 'one', Tags: [{ Key: 'k', Value: 'v' }] })
    await update(Name, 'two', { VersionName: 'two' })
    await update(Name, 'three')
    expect(await api.code('DeleteDocument', { Name, DocumentVersion: '1' })).toBe('InvalidDocumentOperation')
    expect(await api.code('DeleteDocument', { Name, VersionName: 'one' })).toBe('InvalidDocumentOperation')
    expect(await api.code('DeleteDocument', { Name, VersionName: 'nope' })).toBe('InvalidDocumentVersion')
    await api.ok('DeleteDocument', { Name, VersionName: 'two' })
    expect(await api.code('GetDocument', { Name, DocumentVersion: '2' })).toBe('InvalidDocumentVersion')
    expect(await versionOf({ Name, DocumentVersion: '$LATEST' })).toBe('3')
    await api.ok('DeleteDocument', { Name })
    expect(await api.code('DeleteDocument', { Name })).toBe('InvalidDocument')
    expect(await api.store.tags.list(scope, 'Document', Name)).toEqual([])
  })
})

describe("Amazon's documents", () => {
  test('are read like any, and changed by nobody', async () => {
    for (const Name of Object.keys(amazonSessionDocuments)) {
      const { Content } = await api.ok('GetDocument', { Name, DocumentVersion: '1' })
      expect(JSON.parse(String(Content)), Name).toEqual(amazonSessionDocuments[Name])
    }
    const Name = 'AWS-StartSSHSession'
    expect(await api.ok('DescribeDocument', { Name })).toMatchObject({
      Document: { Owner: 'Amazon', Description: expect.any(String) },
    })
    expect((await update(Name, 'x')).code).toBe('InvalidDocumentOperation')
    expect(await api.code('DeleteDocument', { Name })).toBe('InvalidDocumentOperation')
    expect(await api.code('UpdateDocumentDefaultVersion', { Name, DocumentVersion: '1' })).toBe(
      'InvalidDocumentOperation',
    )
    expect(await api.code('GetDocument', { Name, DocumentVersion: '2' })).toBe('InvalidDocumentVersion')
    expect(await api.code('GetDocument', { Name, VersionName: 'x' })).toBe('InvalidDocumentVersion')
    expect(await api.code('GetDocument', { Name: 'constructor' })).toBe('InvalidDocument')
  })
})

describe('ListDocuments', () => {
  const names = async (...filters: Array<[string, ...string[]]>) => {
    const found = await api.ok('ListDocuments', {
      Filters: filters.map(([Key, ...Values]) => ({ Key, Values })),
    })
    return (found.DocumentIdentifiers as Array<{ Name: string }>).map(({ Name }) => Name)
  }
  const sessions = Object.keys(amazonSessionDocuments).sort()
  const commands = Object.keys(amazonCommandDocuments).sort()
  const amazon = [...commands, ...sessions].sort()

  test('lists all, by name, page by page', async () => {
    const own = ['list-a', 'list-b', 'zz-last']
    for (const name of own) await create(name)
    const found: string[] = []
    let NextToken: unknown
    do {
      const page = await api.ok('ListDocuments', {
        MaxResults: 2,
        ...(NextToken !== undefined && { NextToken }),
      })
      found.push(...(page.DocumentIdentifiers as Array<{ Name: string }>).map(({ Name }) => Name))
      NextToken = page.NextToken
    } while (NextToken !== undefined)
    expect(found).toEqual([...found].sort())
    expect(new Set(found).size).toBe(found.length)
    expect(found).toEqual(expect.arrayContaining([...amazon, ...own]))
  })

  test('knows its filters', async () => {
    expect(await names(['Owner', 'Amazon'])).toEqual(amazon)
    expect(await names(['Owner', 'Self'], ['Name', 'list-'])).toEqual(['list-a', 'list-b'])
    expect(await names(['Name', 'list-a', 'zz'])).toEqual(['list-a', 'zz-last'])
    expect(await names(['SearchKeyword', 'SSH'])).toEqual(['AWS-StartSSHSession'])
    expect(await names(['DocumentType', 'Command'])).toEqual(commands)
    expect(await names(['DocumentType', 'Session'], ['PlatformTypes', 'Linux'], ['Owner', 'Amazon'])).toEqual(
      sessions,
    )
    expect(await names(['Name', 'AWS-Run'], ['PlatformTypes', 'Windows'])).not.toContain('AWS-RunShellScript')
    const older = await api.ok('ListDocuments', { DocumentFilterList: [{ key: 'Name', value: 'zz' }] })
    expect(older.DocumentIdentifiers).toHaveLength(1)
    expect(await api.code('ListDocuments', { Filters: [{ Key: 'Colour', Values: ['x'] }] })).toBe(
      'InvalidFilterKey',
    )
    expect(await api.code('ListDocuments', { NextToken: '!' })).toBe('InvalidNextToken')
  })
})

describe('a command document', () => {
  const yaml = (line: string) => `# how it is done
schemaVersion: "2.2"
description: Says ${line}
parameters:
  info: {type: StringMap, default: {a: b}}
mainSteps:
- {action: aws:runShellScript, name: say, inputs: {runCommand: [echo ${line}]}}
`
  const createYaml = (Name: string, more: object = {}) =>
    api.call('CreateDocument', { Name, Content: yaml('hello'), DocumentFormat: 'YAML', ...more })

  test('is described as what it is, and had in any format', async () => {
    const { body } = await createYaml('say', { TargetType: '/AWS::EC2::Instance' })
    expect(body).toMatchObject({
      DocumentDescription: {
        DocumentType: 'Command',
        DocumentFormat: 'YAML',
        SchemaVersion: '2.2',
        PlatformTypes: ['Linux', 'MacOS'],
        TargetType: '/AWS::EC2::Instance',
        Description: 'Says hello',
        Parameters: [{ Name: 'info', Type: 'StringMap', DefaultValue: '{"a":"b"}' }],
        Hash: createHash('sha256').update(yaml('hello')).digest('hex'),
      },
    })
    const get = (more: object) => api.ok('GetDocument', { Name: 'say', ...more })
    for (const DocumentFormat of ['YAML', 'TEXT']) {
      expect(await get({ DocumentFormat })).toMatchObject({ Content: yaml('hello'), DocumentFormat })
    }
    const json = await get({})
    expect(json).toMatchObject({ DocumentFormat: 'JSON', DocumentType: 'Command' })
    expect(JSON.parse(String(json.Content))).toMatchObject({ mainSteps: [{ name: 'say' }] })
    const amazon = await api.ok('GetDocument', { Name: 'AWS-RunShellScript', DocumentFormat: 'YAML' })
    expect(amazon).toMatchObject({ DocumentType: 'Command', Content: expect.stringContaining('minItems: 1') })
  })

  test('stays of its type, in whichever format the next version is', async () => {
    await createYaml('changing')
    const Name = 'changing'
    const change = (Content: string, more: object = {}) =>
      api.call('UpdateDocument', { Name, Content, ...more })
    expect((await change(yaml('hello'), { DocumentFormat: 'YAML' })).code).toBe('DuplicateDocumentContent')
    expect((await change(yaml('again'))).code).toBe('InvalidDocumentContent')
    expect((await change(content({ description: 'x' }))).code).toBe('InvalidDocumentContent')
    expect((await change('schemaVersion: "0.3"', { DocumentFormat: 'YAML' })).code).toBe(
      'InvalidDocumentSchemaVersion',
    )
    const { body } = await change(yaml('again'), { DocumentFormat: 'YAML', TargetType: '/' })
    expect(body).toMatchObject({ DocumentDescription: { DocumentType: 'Command', TargetType: '/' } })
  })

  test('says by its place what is wrong with it', async () => {
    const steps = [
      { action: 'aws:runShellScript', name: 'a', inputs: { runCommand: 'x', timeoutSeconds: 1 } },
    ]
    const { code, message } = await api.call('CreateDocument', {
      Name: 'wrong',
      Content: JSON.stringify({ schemaVersion: '2.2', mainSteps: steps }),
    })
    expect(code).toBe('InvalidDocumentContent')
    expect(message).toContain('mainSteps[0].inputs.timeoutSeconds must be seconds from 5 to 172800')
  })

  test('never uses the number of a version again', async () => {
    const Name = 'numbers'
    await createYaml(Name)
    await api.ok('UpdateDocument', { Name, Content: yaml('two'), DocumentFormat: 'YAML' })
    await api.ok('DeleteDocument', { Name, DocumentVersion: '2' })
    await api.ok('UpdateDocument', { Name, Content: yaml('three'), DocumentFormat: 'YAML' })
    const { DocumentVersions } = await api.ok('ListDocumentVersions', { Name })
    expect(DocumentVersions).toMatchObject([{ DocumentVersion: '3' }, { DocumentVersion: '1' }])
  })
})

test('ListDocumentVersions tells of all versions, newest first, page by page', async () => {
  const Name = 'listed-versions'
  await create(Name, { VersionName: 'one', DisplayName: 'Listed' })
  await update(Name, 'two')
  const first = await api.ok('ListDocumentVersions', { Name, MaxResults: 1 })
  expect(first.DocumentVersions).toEqual([
    {
      Name,
      DisplayName: 'Listed',
      DocumentVersion: '2',
      CreatedDate: api.now / 1000,
      IsDefaultVersion: false,
      DocumentFormat: 'JSON',
      Status: 'Active',
    },
  ])
  const { DocumentVersions, NextToken } = await api.ok('ListDocumentVersions', {
    Name,
    NextToken: first.NextToken,
  })
  expect(DocumentVersions).toMatchObject([
    { DocumentVersion: '1', VersionName: 'one', IsDefaultVersion: true },
  ])
  expect(NextToken).toBeUndefined()
  expect(await api.ok('ListDocumentVersions', { Name: 'AWS-RunShellScript' })).toMatchObject({
    DocumentVersions: [{ DocumentVersion: '1', IsDefaultVersion: true }],
  })
  expect(await api.code('ListDocumentVersions', { Name: 'nope' })).toBe('InvalidDocument')
  expect(await api.code('ListDocumentVersions', { Name, NextToken: '!' })).toBe('InvalidNextToken')
})

test('documents are found by their tags, target types and words', async () => {
  const found = async (Key: string, ...Values: string[]) => {
    const { DocumentIdentifiers } = await api.ok('ListDocuments', { Filters: [{ Key, Values }] })
    return (DocumentIdentifiers as Array<{ Name: string }>).map(({ Name }) => Name)
  }
  await create('found-a', { Tags: [{ Key: 'Team', Value: 'red' }], TargetType: '/AWS::S3::Bucket' })
  await create('found-b', { Tags: [{ Key: 'Team', Value: 'blue' }], DisplayName: 'Zanzibar' })
  await create('found-c', { Content: content({ description: 'about ZANZIBAR' }) })
  expect(await found('tag:Team', 'red')).toEqual(['found-a'])
  expect(await found('tag:Team', 'red', 'blue')).toEqual(['found-a', 'found-b'])
  expect(await found('tag:Team', 'green')).toEqual([])
  expect(await found('TargetType', '/AWS::S3::Bucket')).toEqual(['found-a'])
  expect(await found('SearchKeyword', 'zanzi')).toEqual(['found-b', 'found-c'])
  expect(await api.code('ListDocuments', { Filters: [{ Key: 'tag:', Values: ['x'] }] })).toBe(
    'InvalidFilterKey',
  )
})

test('no account has more documents than can be listed', async () => {
  for (let i = 0; i < 500; i++) {
    const row = {
      documentType: 'Session',
      documentFormat: 'JSON',
      content: content(),
      hash: 'h',
      createdAt: 0,
    }
    await api.store.documents.create(scope, { name: `many-${i}`, ...row }).catch(() => {})
  }
  expect((await create('one-too-many')).code).toBe('DocumentLimitExceeded')
})
