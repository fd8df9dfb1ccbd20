import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const ARN = 'arn:aws:ssm:us-east-1:123456789012:parameter'
const put = (Name: string, Value = 'v', more: object = {}) =>
  api.ok('PutParameter', { Name, Value, Type: 'String', ...more })
const again = (Name: string, Value: string, more: object = {}) =>
  api.ok('PutParameter', { Name, Value, Overwrite: true, ...more })
const refusal = async (Name: string, more: object = {}) => {
  const answer = await api.call('PutParameter', { Name, Value: 'v', Type: 'String', ...more })
  expect(answer.status).toBe(400)
  return `${answer.code}: ${answer.message}`
}

type Shown = { Name: string; Value: string; Version: number; Selector?: string }
const get = async (Name: string, more: object = {}) =>
  (await api.ok('GetParameter', { Name, ...more })).Parameter as Shown
const described = async (input: object = {}) =>
  (await api.ok('DescribeParameters', input)).Parameters as Array<Record<string, unknown>>

describe('a parameter', () => {
  test('is put, got, overwritten and deleted', async () => {
    expect(await put('/first/url', 'https://one')).toEqual({ Version: 1, Tier: 'Standard' })
    expect(await get('/first/url')).toEqual({
      Name: '/first/url',
      Type: 'String',
      Value: 'https://one',
      Version: 1,
      LastModifiedDate: api.now / 1000,
      ARN: `${ARN}/first/url`,
      DataType: 'text',
    })
    expect(await refusal('/first/url')).toBe(
      'ParameterAlreadyExists: The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
    )
    expect(await again('/first/url', 'https://two')).toEqual({ Version: 2, Tier: 'Standard' })
    expect(await get('/first/url')).toMatchObject({ Value: 'https://two', Version: 2 })
    expect(await api.ok('DeleteParameter', { Name: '/first/url' })).toEqual({})
    expect(await api.code('GetParameter', { Name: '/first/url' })).toBe('ParameterNotFound')
    expect(await api.code('DeleteParameter', { Name: '/first/url' })).toBe('ParameterNotFound')
  })

  test('is found by version and label, by name and by ARN', async () => {
    await put('/select/me', 'one')
    await again('/select/me', 'two')
    await api.ok('LabelParameterVersion', { Name: '/select/me', ParameterVersion: 1, Labels: ['prod'] })
    for (const name of ['/select/me', `${ARN}/select/me`]) {
      expect(await get(name)).not.toHaveProperty('Selector')
      expect(await get(`${name}:1`)).toMatchObject({ Value: 'one', Selector: ':1', Name: '/select/me' })
      expect(await get(`${name}:prod`)).toMatchObject({ Value: 'one', Selector: ':prod', Version: 1 })
      for (const selector of ['3', '0', 'test', '', '1:2', '99999999999999999999']) {
        const code = await api.code('GetParameter', { Name: `${name}:${selector}` })
        expect([selector, code]).toEqual([selector, 'ParameterVersionNotFound'])
      }
    }
    const elsewhere = [
      'arn:aws:ssm:us-east-1:210987654321:parameter/select/me',
      'arn:aws:ssm:eu-west-1:123456789012:parameter/select/me',
      'arn:aws:ssm:us-east-1:123456789012:document/select/me',
      `${ARN}//select/me`,
      '/select/ME',
      'select/me',
    ]
    for (const Name of elsewhere) expect(await api.code('GetParameter', { Name })).toBe('ParameterNotFound')
  })

  test('without a slash has the same ARN as one with it, and is another parameter', async () => {
    await put('/plain', 'slash')
    expect(await get(`${ARN}/plain`)).toMatchObject({ Name: '/plain', ARN: `${ARN}/plain` })
    await put('plain', 'none')
    expect(await get('plain')).toMatchObject({ Value: 'none', ARN: `${ARN}/plain` })
    expect(await get(`${ARN}/plain:1`)).toMatchObject({ Value: 'none' })
    expect(await get('/plain')).toMatchObject({ Value: 'slash' })
  })

  test('keeps what an overwriting request does not say', async () => {
    const described = { Description: 'what', AllowedPattern: '\\d+', Tier: 'Advanced' }
    await put('/keep', '1', { ...described, Type: 'SecureString' })
    expect(await again('/keep', '2')).toEqual({ Version: 2, Tier: 'Advanced' })
    const [found] = await describedAs('/keep')
    expect(found).toMatchObject({ ...described, Type: 'SecureString', KeyId: 'alias/aws/ssm', Version: 2 })
    await again('/keep', 'text', { AllowedPattern: '', Description: '', Type: 'String' })
    const [other] = await describedAs('/keep')
    expect(other).toMatchObject({ Type: 'String', Version: 3 })
    expect(other).not.toHaveProperty('KeyId')
  })

  const describedAs = (name: string) => described({ ParameterFilters: [{ Key: 'Name', Values: [name] }] })
})

describe('names', () => {
  test('that no parameter can have', async () => {
    const long = `/${'x'.repeat(1011 - ARN.length)}`
    const cases: Array<[string, string]> = [
      ['aws', 'ValidationException: Parameter name: can\'t be prefixed with "aws" or "ssm"'],
      ['/AWSome', "ValidationException: Parameter name: can't be prefixed"],
      ['/aws/service/x', 'AccessDeniedException: No access to reserved parameter name: /aws/service/x.'],
      ['/ssm/x', "ValidationException: Parameter name: can't be prefixed"],
      ['Ssm-x', "ValidationException: Parameter name: can't be prefixed"],
      ['a/b', 'ValidationException: Parameter name must be a fully qualified name.'],
      ['/a//b', 'ValidationException: Parameter name: only'],
      ['/a/', 'ValidationException: Parameter name: only'],
      ['/', 'ValidationException: Parameter name: only'],
      ['a b', 'ValidationException: Parameter name: only'],
      ['a:1', 'ValidationException: Parameter name: only'],
      [`${ARN}/x`, 'ValidationException: Parameter name: only'],
      ['/ä', 'ValidationException: Parameter name: only'],
      [long, 'ValidationException: Parameter name: with its ARN'],
      ['/l'.repeat(16), 'HierarchyLevelLimitExceededException: A hierarchy can have a maximum of 15 levels'],
    ]
    for (const [name, message] of cases) {
      expect(await refusal(name)).toContain(message)
    }
    await put(long.slice(0, -1))
    await put('/l'.repeat(15))
    await put('/x/aws/ssm')
  })

  test('have spaces around them, which are removed', async () => {
    await put('  spaced ', 'v')
    expect(await get('spaced')).toMatchObject({ Name: 'spaced' })
  })
})

describe('values', () => {
  test('have the size of their tier, in bytes', async () => {
    const Value = 'ä'.repeat(2048)
    expect(await put('/size/a', Value)).toMatchObject({ Tier: 'Standard' })
    expect(await refusal('/size/b', { Value: `${Value}x` })).toContain(
      'ValidationException: Standard tier parameters support a maximum parameter value of 4096 characters.',
    )
    const advanced = { Tier: 'Advanced' }
    expect(await put('/size/c', Value + Value, advanced)).toMatchObject(advanced)
    expect(await refusal('/size/d', { ...advanced, Value: `${Value}${Value}x` })).toContain('8192')
    const intelligent = { Tier: 'Intelligent-Tiering' }
    expect(await put('/size/e', 'v', intelligent)).toMatchObject({ Tier: 'Standard' })
    expect(await again('/size/e', `${Value}x`, intelligent)).toMatchObject(advanced)
    expect(await again('/size/e', 'v')).toMatchObject(advanced)
    expect(await refusal('/size/e', { Tier: 'Standard', Overwrite: true })).toContain('downgrade')
    expect(await again('/size/a', 'v', advanced)).toMatchObject(advanced)
  })

  test('match the whole of the allowed pattern, of an earlier request too', async () => {
    await put('/pattern', '12', { AllowedPattern: '[0-9]+|x' })
    for (const Value of ['a1', '1a', '1\n', '']) {
      const answer = await api.call('PutParameter', { Name: '/pattern', Value, Overwrite: true })
      const expected = Value === '' ? 'ValidationException' : 'ParameterPatternMismatchException'
      expect([Value, answer.code]).toEqual([Value, expected])
      if (Value !== '') expect(answer.message).not.toContain(Value)
    }
    expect(await get('/pattern')).toMatchObject({ Version: 1 })
    expect(await refusal('/bad', { AllowedPattern: '(' })).toContain('InvalidAllowedPatternException')
    const slow = { AllowedPattern: '(a+)+', Value: `${'a'.repeat(40)}!` }
    expect(await refusal('/slow', slow)).toContain('InvalidAllowedPatternException')
  })

  test('hold no references, and are of types and data types that there are', async () => {
    const cases: Array<[object, string]> = [
      [{ Value: 'x {{ssm:other}}' }, "can't nest another parameter"],
      [{ Value: '{{ x }}' }, "can't nest another parameter"],
      // Kept up to the zero only, they would be what the pattern does not allow.
      [{ Value: 'evil\0-safe', AllowedPattern: '[^]*-safe' }, "can't contain a zero byte"],
      [{ Value: 'x', Description: 'a\0b' }, "can't contain a zero byte"],
      [{ Type: undefined }, 'A parameter type is required when you create a parameter.'],
      [{ Type: 'Number' }, 'ValidationException: 1 validation error detected'],
      [{ DataType: 'number' }, 'The following data type is not supported: number'],
      [{ DataType: 'aws:ec2:image' }, 'ami-0123456789abcdef0'],
      [{ DataType: 'aws:ssm:integration' }, 'is a SecureString'],
      [{ KeyId: 'alias/aws/ssm' }, 'KeyId is required for SecureString type parameter only.'],
      [{ KeyId: 'alias/mine', Type: 'SecureString' }, 'InvalidKeyId: There is no key alias/mine'],
      [{ Policies: '[{"Type":"Expiration"}]' }, 'InvalidPolicyTypeException'],
      [{ Overwrite: true, Tags: [{ Key: 'k', Value: 'v' }] }, "tags and overwrite can't be used together"],
      [{ Tags: [{ Key: 'aws:k', Value: 'v' }] }, 'reserved'],
    ]
    for (const [more, message] of cases) expect(await refusal('/wrong', more)).toContain(message)
    expect(await api.code('GetParameter', { Name: '/wrong' })).toBe('ParameterNotFound')
    await put('/braces', '}} {{', { Policies: '[{}]' })
    await put('/image', 'ami-0123456789abcdef0', { DataType: 'aws:ec2:image' })
    await put('/list', 'a,b', { Type: 'StringList' })
    const KeyId = 'arn:aws:kms:us-east-1:123456789012:alias/aws/ssm'
    await put('/key', 'a', { Type: 'SecureString', KeyId })
  })
})

describe('a SecureString', () => {
  const secret = 'correct horse battery staple'

  test('is readable with decryption only, and nowhere else', async () => {
    await put('/secret/a', secret, { Type: 'SecureString' })
    await put('/secret/b', secret, { Type: 'SecureString' })
    const decrypted = { WithDecryption: true }
    expect(await get('/secret/a', decrypted)).toMatchObject({ Value: secret, Type: 'SecureString' })
    const { Value } = await get('/secret/a')
    expect(Value).toMatch(/^[A-Za-z0-9+/]+=*$/)
    expect(Buffer.from(Value, 'base64').toString()).not.toContain('horse')
    expect((await get('/secret/b')).Value).not.toBe(Value)
    const path = { Path: '/secret' }
    const values = async (operation: string, input: object) =>
      ((await api.ok(operation, input)).Parameters as Shown[]).map(shown => shown.Value)
    expect(await values('GetParametersByPath', { ...path, ...decrypted })).toEqual([secret, secret])
    expect(await values('GetParametersByPath', path)).not.toContain(secret)
    const Names = ['/secret/a']
    expect(await values('GetParameters', { Names, ...decrypted })).toEqual([secret])
    expect(await values('GetParameters', { Names })).toEqual([Value])
    expect(await values('GetParameterHistory', { Name: '/secret/a', ...decrypted })).toEqual([secret])
    expect(await values('GetParameterHistory', { Name: '/secret/a' })).toEqual([Value])
    expect(JSON.stringify(await described())).not.toContain('horse')
    expect(JSON.stringify(api.lines)).not.toContain('horse')
    const rows = await api.store.db.selectFrom('parameters').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain('horse')
  })

  test('does not open in the place of another one', async () => {
    await put('/moved/a', secret, { Type: 'SecureString' })
    await put('/moved/b', 'other', { Type: 'SecureString' })
    const { value } = await api.store.db
      .selectFrom('parameters')
      .select('value')
      .where('name', '=', '/moved/a')
      .executeTakeFirstOrThrow()
    await api.store.db.updateTable('parameters').set({ value }).where('name', '=', '/moved/b').execute()
    const code = await api.code('GetParameter', { Name: '/moved/b', WithDecryption: true })
    expect(code).toBe('InternalServerError')
  })

  test('is quoted by no refusal, nor in the log', async () => {
    const Value = 'tr0ub4dor {{ssm:x}}'
    await refusal('/refused', { Value, Type: 'SecureString' })
    await refusal('/refused', { Value: 'tr0ub4dor', Type: 'SecureString', AllowedPattern: 'x' })
    await api.call('PutParameter', { Name: 1, Value: 'tr0ub4dor' })
    expect(JSON.stringify(api.lines)).not.toContain('tr0ub4dor')
  })
})

test('several are got at once: what there is, by name, and what there is not', async () => {
  await put('/many/b', '1')
  await again('/many/b', '2')
  await put('/many/a', '3')
  const Names = [
    '/many/b',
    '/many/a',
    '/many/b:1',
    '/many/b',
    '/many/b:9',
    '/many/a:nope',
    '/none',
    '%',
    'a b',
  ]
  const { Parameters, InvalidParameters } = await api.ok('GetParameters', { Names })
  const shown = (Parameters as Shown[]).map(({ Name, Value, Selector }) => [Name, Value, Selector])
  expect(shown).toEqual([
    ['/many/a', '3', undefined],
    ['/many/b', '1', ':1'],
    ['/many/b', '2', undefined],
  ])
  expect(InvalidParameters).toEqual(['/many/b:9', '/many/a:nope', '/none', '%', 'a b'])
  const eleven = Array.from({ length: 11 }, (_, i) => `/n${i}`)
  expect(await api.code('GetParameters', { Names: eleven })).toBe('ValidationException')
  expect(await api.ok('DeleteParameters', { Names: ['/many/a', '/none', '/many/b', '/many/b'] })).toEqual({
    DeletedParameters: ['/many/a', '/many/b'],
    InvalidParameters: ['/none'],
  })
})

describe('history', () => {
  test('tells every version, the oldest first, with its labels', async () => {
    await put('/past', 'one', { Description: 'first' })
    await again('/past', 'two', { Description: 'second' })
    await api.ok('LabelParameterVersion', { Name: '/past', Labels: ['new', 'prod'] })
    const { Parameters } = await api.ok('GetParameterHistory', { Name: `${ARN}/past` })
    const user = 'arn:aws:iam::123456789012:user/admin'
    const common = { Name: '/past', Type: 'String', Tier: 'Standard', Policies: [], DataType: 'text' }
    const stamp = { LastModifiedDate: api.now / 1000, LastModifiedUser: user }
    expect(Parameters).toEqual([
      { ...common, ...stamp, Value: 'one', Version: 1, Labels: [], Description: 'first' },
      { ...common, ...stamp, Value: 'two', Version: 2, Labels: ['new', 'prod'], Description: 'second' },
    ])
    const first = await api.ok('GetParameterHistory', { Name: '/past', MaxResults: 1 })
    const NextToken = first.NextToken
    const second = await api.ok('GetParameterHistory', { Name: '/past', MaxResults: 1, NextToken })
    expect((second.Parameters as Shown[]).map(({ Version }) => Version)).toEqual([2])
    for (const Name of ['/none', '/past:1']) {
      expect(await api.code('GetParameterHistory', { Name })).toBe('ParameterNotFound')
    }
  })

  test('holds a hundred versions: the oldest goes, unless it has a label', async () => {
    await put('/often', '1')
    for (let at = 2; at <= 101; at += 1) await again('/often', String(at))
    expect(await api.code('GetParameter', { Name: '/often:1' })).toBe('ParameterVersionNotFound')
    expect(await get('/often:2')).toMatchObject({ Value: '2' })
    await api.ok('LabelParameterVersion', { Name: '/often', ParameterVersion: 2, Labels: ['keep'] })
    const refused = { Type: undefined, Overwrite: true }
    expect(await refusal('/often', refused)).toContain('ParameterMaxVersionLimitExceeded')
    await api.ok('UnlabelParameterVersion', { Name: '/often', ParameterVersion: 2, Labels: ['keep'] })
    expect(await again('/often', '102')).toMatchObject({ Version: 102 })
  })
})

describe('labels', () => {
  const label = (Labels: string[], ParameterVersion?: number) =>
    api.ok('LabelParameterVersion', { Name: '/labelled', Labels, ParameterVersion })

  test('are set, moved and removed; what is none is told', async () => {
    await put('/labelled', '1')
    await again('/labelled', '2')
    const wrong = ['1st', 'aws-x', 'SSMx', 'a b', 'ä']
    expect(await label(['Prod', ...wrong, '_x.y-z'])).toEqual({ InvalidLabels: wrong, ParameterVersion: 2 })
    expect(await get('/labelled:_x.y-z')).toMatchObject({ Version: 2 })
    expect(await label(['Prod'], 1)).toEqual({ InvalidLabels: [], ParameterVersion: 1 })
    expect(await get('/labelled:Prod')).toMatchObject({ Version: 1 })
    expect(await api.code('GetParameter', { Name: '/labelled:prod' })).toBe('ParameterVersionNotFound')
    const from = { Name: '/labelled', ParameterVersion: 1 }
    expect(await api.ok('UnlabelParameterVersion', { ...from, Labels: ['Prod', '_x.y-z'] })).toEqual({
      RemovedLabels: ['Prod'],
      InvalidLabels: ['_x.y-z'],
    })
    expect(await api.code('GetParameter', { Name: '/labelled:Prod' })).toBe('ParameterVersionNotFound')
  })

  test('are ten at most, of versions and parameters that exist', async () => {
    await put('/ten', '1')
    const Labels = Array.from({ length: 10 }, (_, i) => `l${i}`)
    const to = { Name: '/ten' }
    await api.ok('LabelParameterVersion', { ...to, Labels })
    const code = (input: object) => api.code('LabelParameterVersion', { ...to, Labels: ['x'], ...input })
    expect(await code({})).toBe('ParameterVersionLabelLimitExceeded')
    expect(await code({ ParameterVersion: 2 })).toBe('ParameterVersionNotFound')
    expect(await code({ Name: '/none' })).toBe('ParameterNotFound')
    expect(await code({ Labels: [...Labels, 'x'] })).toBe('ValidationException')
    const off = { ...to, Labels: ['l0'] }
    expect(await api.code('UnlabelParameterVersion', { ...off, ParameterVersion: 3 })).toBe(
      'ParameterVersionNotFound',
    )
    expect(await api.code('UnlabelParameterVersion', off)).toBe('ValidationException')
  })
})

test('tags come with a new parameter, are changed, found, and go with it', async () => {
  const resource = { ResourceType: 'Parameter', ResourceId: '/tagged' }
  await put('/tagged', 'v', { Tags: [{ Key: 'env', Value: 'prod' }] })
  const tags = async () => (await api.ok('ListTagsForResource', resource)).TagList
  expect(await tags()).toEqual([{ Key: 'env', Value: 'prod' }])
  await api.ok('AddTagsToResource', { ...resource, Tags: [{ Key: 'team', Value: 'a' }] })
  await api.ok('RemoveTagsFromResource', { ...resource, TagKeys: ['env'] })
  expect(await tags()).toEqual([{ Key: 'team', Value: 'a' }])
  const found = await described({ ParameterFilters: [{ Key: 'tag:team', Values: ['a'] }] })
  expect(found.map(({ Name }) => Name)).toEqual(['/tagged'])
  await api.ok('DeleteParameter', { Name: '/tagged' })
  expect(await api.code('ListTagsForResource', resource)).toBe('InvalidResourceId')
  await put('/tagged')
  expect(await tags()).toEqual([])
})

test('there are ten thousand standard ones at most; intelligent tiering goes on with advanced ones', async () => {
  const own = await openApi()
  try {
    const row = { ...(await standardRow(own)), isLatest: 1 }
    for (let at = 0; at < 10; at += 1) {
      const rows = Array.from({ length: at === 0 ? 999 : 1000 }, (_, i) => ({
        ...row,
        name: `/f/${at}/${i}`,
      }))
      await own.store.db.insertInto('parameters').values(rows).execute()
    }
    const more = { Name: '/more', Value: 'v', Type: 'String' }
    expect(await own.code('PutParameter', more)).toBe('ParameterLimitExceeded')
    const Tier = 'Intelligent-Tiering'
    expect(await own.ok('PutParameter', { ...more, Tier })).toEqual({ Version: 1, Tier: 'Advanced' })
    const present = { Name: '/f/0/0', Value: 'v', Overwrite: true }
    expect(await own.ok('PutParameter', present)).toEqual({ Version: 2, Tier: 'Standard' })
  } finally {
    await own.dispose()
  }
})

const standardRow = async (own: ApiForTest) => {
  await own.ok('PutParameter', { Name: '/one', Value: 'v', Type: 'String' })
  return await own.store.db.selectFrom('parameters').selectAll().executeTakeFirstOrThrow()
}
