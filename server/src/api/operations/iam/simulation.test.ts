import { readXml, type XmlValue } from '@sallyport/protocol/aws/xml-reader'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

const ACCOUNT = '123456789012'
const dev = [
  '{',
  '  "Version": "2012-10-17",',
  '  "Statement": [',
  '    {',
  '      "Sid": "Dev",',
  '      "Effect": "Allow",',
  '      "Action": "ssm:StartSession",',
  '      "Resource": "arn:aws:ssm:*:*:managed-instance/*",',
  '      "Condition": { "StringEquals": { "ssm:resourceTag/env": ["dev", "test"] } }',
  '    },',
  '    { "Sid": "NoRoot", "Effect": "Deny", "Action": "iam:*", "Resource": "*" }',
  '  ]',
  '}',
].join('\n')
const get = { ActionNames: ['ssm:GetDocument'] }
const long = dev.padEnd(70_000)
const NODE = 'arn:aws:ssm:us-east-1:123456789012:managed-instance/mi-0123456789abcdef0'

beforeAll(async () => {
  api = await openApi()
  await api.user('alice', { policies: [dev] })
})
afterAll(() => api.dispose())

type Flat = Record<string, string>

/** Names as the Query protocol has them: `ResourceArns.member.1`. */
const flat = (input: object, prefix = ''): Flat => {
  const result: Flat = {}
  for (const [name, value] of Object.entries(input)) {
    if (Array.isArray(value)) Object.assign(result, flat(value, `${prefix}${name}.member.`))
    else if (typeof value === 'object') Object.assign(result, flat(value, `${prefix}${name}.`))
    else result[`${prefix}${/^\d+$/.test(name) ? Number(name) + 1 : name}`] = String(value)
  }
  return result
}
const list = (values: readonly object[]): object => Object.fromEntries(values.map((each, i) => [i + 1, each]))

const ask = async (operation: string, input: object) => {
  const answer = await api.iam(operation, flat(input))
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.code}: ${answer.message}`)
  const { value } = readXml(String(answer.body.text))
  // biome-ignore lint/suspicious/noExplicitAny: XML of whatever operation was called
  return (value as Record<string, XmlValue>)[`${operation}Result`] as any
}
const entries = (context: Record<string, string[]>) => ({
  ContextEntries: {
    member: list(
      Object.entries(context).map(([ContextKeyName, ContextKeyValues]) => ({
        ContextKeyName,
        ContextKeyValues,
        ContextKeyType: 'string',
      })),
    ),
  },
})
const principal = async (input: object, PolicySourceArn = `arn:aws:iam::${ACCOUNT}:user/alice`) =>
  (await ask('SimulatePrincipalPolicy', { PolicySourceArn, ...input })).EvaluationResults
const custom = async (input: object) => (await ask('SimulateCustomPolicy', input)).EvaluationResults

test('an allowed action is told with the statement, its place and its text', async () => {
  const question = { ActionNames: ['ssm:StartSession'], ResourceArns: [NODE] }
  const [result] = await principal({ ...question, ...entries({ 'ssm:resourceTag/env': ['dev'] }) })
  expect(result).toMatchObject({
    EvalActionName: 'ssm:StartSession',
    EvalResourceName: NODE,
    EvalDecision: 'allowed',
    MissingContextValues: '',
    EvalDecisionDetails: [{ key: 'identity', value: 'allowed' }],
    NearMisses: '',
  })
  const [statement] = result.MatchedStatements
  expect(statement).toMatchObject({
    SourcePolicyType: 'user',
    StartPosition: { Line: '4', Column: '5' },
    EndPosition: { Line: '10', Column: '5' },
    Sid: 'Dev',
    Effect: 'Allow',
    Layer: 'identity',
    PolicyOwner: 'alice',
  })
  expect(statement.SourcePolicyId).toBe(`user_alice_${statement.PolicyName}`)
  expect(JSON.parse(statement.StatementText)).toMatchObject({ Sid: 'Dev', Effect: 'Allow' })
  expect(result.PermissionsBoundaryDecisionDetail).toBeUndefined()
})

test('a condition that kept a statement out is told with what it wants and what there is', async () => {
  const question = { ActionNames: ['ssm:StartSession'], ResourceArns: [NODE] }
  const [other] = await principal({ ...question, ...entries({ 'SSM:RESOURCETAG/env': ['prod'] }) })
  expect(other).toMatchObject({
    EvalDecision: 'implicitDeny',
    MatchedStatements: '',
    MissingContextValues: '',
  })
  expect(other.NearMisses).toMatchObject([
    {
      Sid: 'Dev',
      UnmetConditions: [
        { Operator: 'StringEquals', Key: 'ssm:resourceTag/env', Wanted: ['dev', 'test'], Found: ['prod'] },
      ],
    },
  ])
  const [unknown] = await principal(question)
  expect(unknown).toMatchObject({
    EvalDecision: 'implicitDeny',
    MissingContextValues: ['ssm:resourceTag/env'],
  })
  expect(unknown.NearMisses[0].UnmetConditions[0].Found).toBeUndefined()
})

test('a denial is explicit, and named', async () => {
  const [result] = await principal({ ActionNames: ['iam:CreateUser'] })
  expect(result).toMatchObject({ EvalResourceName: '*', EvalDecision: 'explicitDeny' })
  expect(result.MatchedStatements).toMatchObject([
    { Sid: 'NoRoot', Effect: 'Deny', StartPosition: { Line: '11' } },
  ])
})

test('each action is tried on each resource, page by page', async () => {
  const question = {
    ActionNames: ['ssm:StartSession', 'iam:GetUser'],
    ResourceArns: [NODE, 'arn:aws:s3:::bucket'],
    ...entries({ 'ssm:resourceTag/env': ['dev'] }),
  }
  const all = await principal(question)
  const told = (results: Flat[]) =>
    results.map(each => [each.EvalActionName, each.EvalResourceName, each.EvalDecision])
  expect(told(all)).toEqual([
    ['ssm:StartSession', NODE, 'allowed'],
    ['ssm:StartSession', 'arn:aws:s3:::bucket', 'implicitDeny'],
    ['iam:GetUser', NODE, 'explicitDeny'],
    ['iam:GetUser', 'arn:aws:s3:::bucket', 'explicitDeny'],
  ])
  expect(all[0].ResourceSpecificResults).toMatchObject([
    { EvalResourceName: NODE, EvalResourceDecision: 'allowed' },
  ])
  const PolicySourceArn = `arn:aws:iam::${ACCOUNT}:user/alice`
  const first = await ask('SimulatePrincipalPolicy', { PolicySourceArn, ...question, MaxItems: 3 })
  expect(first.IsTruncated).toBe('true')
  const { Marker } = first
  const rest = await ask('SimulatePrincipalPolicy', { PolicySourceArn, ...question, Marker })
  expect(told([...first.EvaluationResults, ...rest.EvaluationResults])).toEqual(told(all))
})

test('a page of very many statements ends before it is full', async () => {
  const statement = '{"Effect":"Allow","Action":"*","Resource":"*"}'
  const PolicyInputList = [`{"Statement":[${Array(1_000).fill(statement).join(',')}]}`]
  const ActionNames = Array.from({ length: 10 }, (_, i) => `ssm:Action${i}`)
  const told: string[] = []
  let pages = 0
  for (let more: object | undefined = {}; more !== undefined; pages += 1) {
    const page = await ask('SimulateCustomPolicy', { ActionNames, PolicyInputList, ...more })
    told.push(...page.EvaluationResults.map(({ EvalActionName }: Flat) => EvalActionName))
    more = page.IsTruncated === 'true' ? { Marker: page.Marker } : undefined
  }
  expect(told).toEqual(ActionNames)
  expect(pages).toBe(3)
})

test('groups count for their members, and stand for themselves', async () => {
  await api.iam('CreateGroup', { GroupName: 'readers' })
  await api.iam('AddUserToGroup', { GroupName: 'readers', UserName: 'alice' })
  const PolicyArn = 'arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess'
  await api.iam('AttachGroupPolicy', { GroupName: 'readers', PolicyArn })
  const question = { ActionNames: ['ssm:GetDocument'] }
  for (const arn of ['user/alice', 'group/readers']) {
    const [result] = await principal(question, `arn:aws:iam::${ACCOUNT}:${arn}`)
    expect(result.MatchedStatements).toMatchObject([
      {
        SourcePolicyId: 'AmazonSSMReadOnlyAccess',
        SourcePolicyType: 'aws-managed',
        PolicyName: PolicyArn,
      },
    ])
  }
})

test('a boundary must allow, too: the own one, or one to try', async () => {
  const question = { ActionNames: ['ssm:GetDocument'] }
  const none = '{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'
  const [tried] = await principal({ ...question, PermissionsBoundaryPolicyInputList: [none] })
  expect(tried).toMatchObject({
    EvalDecision: 'implicitDeny',
    PermissionsBoundaryDecisionDetail: { AllowedByPermissionsBoundary: 'false' },
    EvalDecisionDetails: [
      { key: 'identity', value: 'allowed' },
      { key: 'boundary', value: 'implicitDeny' },
    ],
  })
  await api.iam('PutUserPermissionsBoundary', {
    UserName: 'alice',
    PermissionsBoundary: 'arn:aws:iam::aws:policy/AmazonSSMFullAccess',
  })
  const [real] = await principal(question)
  expect(real.PermissionsBoundaryDecisionDetail).toEqual({ AllowedByPermissionsBoundary: 'true' })
  expect(real.MatchedStatements.map(({ Layer }: { Layer: string }) => Layer)).toEqual([
    'identity',
    'boundary',
  ])
  await api.iam('DeleteUserPermissionsBoundary', { UserName: 'alice' })
})

test('variables are those of the principal, unless the question says otherwise', async () => {
  const PolicyInputList = [
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ssm:TerminateSession","Resource":"arn:aws:ssm:*:*:session/${aws:username}-*"}}',
  ]
  const question = {
    ActionNames: ['ssm:TerminateSession'],
    ResourceArns: ['arn:aws:ssm:us-east-1:1:session/alice-1'],
    PolicyInputList,
  }
  const [own] = await principal(question)
  expect(own.MatchedStatements).toMatchObject([
    { SourcePolicyId: 'PolicyInputList.1', SourcePolicyType: 'none' },
  ])
  const [other] = await principal({ ...question, ...entries({ 'aws:username': ['bob'] }) })
  expect(other.EvalDecision).toBe('implicitDeny')
  const [role] = await principal(question, `arn:aws:iam::${ACCOUNT}:role/SSMServiceRole`)
  expect(role).toMatchObject({ EvalDecision: 'implicitDeny', MissingContextValues: ['aws:username'] })
  const [nobody] = await custom(question)
  expect(nobody).toMatchObject({ EvalDecision: 'implicitDeny', MissingContextValues: ['aws:username'] })
})

test('where the question comes from says nothing about where a request would come from', async () => {
  const PolicyInputList = [
    '{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}}}',
  ]
  const question = { ActionNames: ['s3:GetObject'], PolicyInputList }
  expect(await principal(question)).toMatchObject([
    { EvalDecision: 'implicitDeny', MissingContextValues: ['aws:SourceIp'] },
  ])
  expect(await custom({ ...question, ...entries({ 'aws:SourceIp': ['192.0.2.9'] }) })).toMatchObject([
    { EvalDecision: 'allowed' },
  ])
})

test('context keys are found in conditions and in variables', async () => {
  const { ContextKeyNames } = await ask('GetContextKeysForPrincipalPolicy', {
    PolicySourceArn: `arn:aws:iam::${ACCOUNT}:user/alice`,
    PolicyInputList: [
      '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:userid}/*","Condition":{"StringEquals":{"SSM:resourceTag/ENV":"${aws:username}"}}}}',
    ],
  })
  expect(ContextKeyNames).toEqual(['aws:userid', 'aws:username', 'ssm:resourceTag/env'])
  expect(await ask('GetContextKeysForCustomPolicy', { PolicyInputList: [dev] })).toEqual({
    ContextKeyNames: ['ssm:resourceTag/env'],
  })
})

test.each([
  ['a pattern of actions', { ActionNames: ['ssm:Start*'] }, 'InvalidInput: Invalid action name'],
  ['an action of no service', { ActionNames: ['everything'] }, 'InvalidInput: Invalid action name'],
  ['a resource without an ARN', { ...get, ResourceArns: ['mi-1'] }, 'InvalidInput: Invalid resource'],
  ['a malformed policy', { ...get, PolicyInputList: ['{'] }, 'MalformedPolicyDocument'],
  ['more policies than fit', { ...get, PolicyInputList: [long, long] }, 'InvalidInput: PolicyInputList has'],
  ['two boundaries', { ...get, PermissionsBoundaryPolicyInputList: [dev, dev] }, 'InvalidInput'],
  ['a resource policy', { ...get, ResourcePolicy: dev }, 'InvalidInput: ResourcePolicy'],
  ['a node as principal', { ...get, PolicySourceArn: NODE }, 'InvalidInput: Invalid Entity Arn'],
  [
    'a user under a wrong path',
    { ...get, PolicySourceArn: `arn:aws:iam::${ACCOUNT}:user/x/alice` },
    'NoSuchEntity: Cannot find the user',
  ],
  ['no action', {}, 'ValidationError'],
])('%s is no question', async (_, input, message) => {
  await expect(principal(input)).rejects.toThrow(message)
})
