import { readXml, type XmlValue } from '@sallyport/protocol/aws/xml-reader'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const ACCOUNT = '123456789012'
const own = (name: string) => `arn:aws:iam::${ACCOUNT}:policy/${name}`
const READ_ONLY = 'arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess'
const allow = (action: string) =>
  JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: action, Resource: '*' } })

/** The result of an IAM operation; throws its error. */
const iam = async (action: string, input: Record<string, string> = {}, credentials = api.administrator) => {
  const answer = await api.iam(action, input, credentials)
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.code}: ${answer.message}`)
  const { value } = readXml(String(answer.body.text))
  // biome-ignore lint/suspicious/noExplicitAny: XML of whatever operation was called
  return (value as Record<string, XmlValue>)[`${action}Result`] as any
}
const refused = (action: string, input: Record<string, string>, credentials = api.administrator) =>
  iam(action, input, credentials).then(
    () => 'nothing',
    (error: Error) => error.message,
  )
const create = (PolicyName: string, PolicyDocument = allow('ssm:StartSession'), more: object = {}) =>
  iam('CreatePolicy', { PolicyName, PolicyDocument, ...more })
const names = (list: XmlValue) => (Array.isArray(list) ? list.map(each => Object.values(each)[0]) : [])

test('a policy is made, looked at, given a second version, and goes', async () => {
  const document = allow('ssm:*')
  const { Policy } = await create('Life', document, {
    Path: '/team/',
    Description: 'what it is for',
    'Tags.member.1.Key': 'owner',
    'Tags.member.1.Value': 'me',
  })
  const PolicyArn = own('team/Life')
  expect(Policy).toMatchObject({
    PolicyName: 'Life',
    Arn: PolicyArn,
    Path: '/team/',
    DefaultVersionId: 'v1',
    AttachmentCount: '0',
    IsAttachable: 'true',
    CreateDate: '2026-01-31T12:00:00Z',
    Tags: [{ Key: 'owner', Value: 'me' }],
  })
  expect(Policy.PolicyId).toMatch(/^ANPA[A-Z2-7]{16}$/)
  const made = await iam('CreatePolicyVersion', { PolicyArn, PolicyDocument: allow('ssm:Get*') })
  expect(made.PolicyVersion).toMatchObject({ VersionId: 'v2', IsDefaultVersion: 'false' })
  const shown = await iam('GetPolicyVersion', { PolicyArn, VersionId: 'v1' })
  expect(decodeURIComponent(shown.PolicyVersion.Document)).toBe(document)
  expect(shown.PolicyVersion.Document).not.toMatch(/[*"'()]/)
  expect(await refused('DeletePolicy', { PolicyArn })).toMatch(/^409 DeleteConflict: .*more than one version/)
  expect(await refused('DeletePolicyVersion', { PolicyArn, VersionId: 'v1' })).toMatch(/^409 DeleteConflict/)
  await iam('SetDefaultPolicyVersion', { PolicyArn, VersionId: 'v2' })
  expect((await iam('GetPolicy', { PolicyArn })).Policy).toMatchObject({
    DefaultVersionId: 'v2',
    Description: 'what it is for',
  })
  await iam('DeletePolicyVersion', { PolicyArn, VersionId: 'v1' })
  expect(await refused('GetPolicyVersion', { PolicyArn, VersionId: 'v1' })).toMatch(/^404 NoSuchEntity/)
  await iam('DeletePolicy', { PolicyArn })
  expect(await refused('GetPolicy', { PolicyArn })).toBe(
    `404 NoSuchEntity: Policy ${PolicyArn} was not found.`,
  )
  await create('Life')
  expect((await iam('ListPolicyTags', { PolicyArn: own('Life') })).Tags).toBe('')
})

test('names that differ in case alone are one name, whatever the path', async () => {
  await create('Same')
  expect(
    await refused('CreatePolicy', { PolicyName: 'SAME', Path: '/x/', PolicyDocument: allow('ssm:*') }),
  ).toBe('409 EntityAlreadyExists: A policy called SAME already exists. Duplicate names are not allowed.')
})

test('five versions are the most, also when they are made at once, and numbers never come again', async () => {
  await create('Versions')
  const PolicyArn = own('Versions')
  const attempts = Array.from({ length: 8 }, (_, i) =>
    refused('CreatePolicyVersion', { PolicyArn, PolicyDocument: allow(`ssm:Get${i}`) }),
  )
  const outcomes = await Promise.all(attempts)
  expect(outcomes.filter(outcome => outcome === 'nothing')).toHaveLength(4)
  expect(outcomes.filter(outcome => outcome.startsWith('409 LimitExceeded: A managed policy'))).toHaveLength(
    4,
  )
  await iam('DeletePolicyVersion', { PolicyArn, VersionId: 'v5' })
  const { PolicyVersion } = await iam('CreatePolicyVersion', {
    PolicyArn,
    PolicyDocument: allow('ssm:*'),
    SetAsDefault: 'true',
  })
  expect(PolicyVersion).toMatchObject({ VersionId: 'v6', IsDefaultVersion: 'true' })
  const { Versions, IsTruncated, Marker } = await iam('ListPolicyVersions', { PolicyArn, MaxItems: '2' })
  expect(Versions.map((each: { VersionId: string }) => each.VersionId)).toEqual(['v6', 'v4'])
  expect(IsTruncated).toBe('true')
  const rest = await iam('ListPolicyVersions', { PolicyArn, Marker })
  expect(names(rest.Versions)).toEqual(['v3', 'v2', 'v1'])
})

test('what is no policy is refused with its place, what is too long with the quota', async () => {
  const create = (PolicyDocument: string) => refused('CreatePolicy', { PolicyName: 'Bad', PolicyDocument })
  expect(await create('{"Version": "2012-10-17",\n "Statement": [{"Effect": "Maybe"}]}')).toMatch(
    /^400 MalformedPolicyDocument: .*line 2, column/,
  )
  expect(await create('{')).toMatch(/^400 MalformedPolicyDocument: .*line 1/)
  const long = allow(`ssm:${'a'.repeat(6_144)}`)
  expect(await create(long)).toBe('409 LimitExceeded: Cannot exceed quota for PolicySize: 6144')
  // White space does not count.
  await iam('CreatePolicy', { PolicyName: 'Wide', PolicyDocument: `${' '.repeat(7_000)}${allow('ssm:*')}` })
  expect(await refused('GetPolicy', { PolicyArn: own('Bad') })).toMatch(/NoSuchEntity/)
})

test("AWS's policies are there and stay as they are", async () => {
  const { Policy } = await iam('GetPolicy', { PolicyArn: READ_ONLY })
  expect(Policy).toMatchObject({ PolicyName: 'AmazonSSMReadOnlyAccess', DefaultVersionId: 'v1' })
  const PolicyArn = 'arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM'
  const { PolicyVersion } = await iam('GetPolicyVersion', { PolicyArn, VersionId: 'v8' })
  expect(decodeURIComponent(PolicyVersion.Document)).toContain('"ec2messages:GetMessages"')
  for (const [action, more] of [
    ['DeletePolicy', {}],
    ['CreatePolicyVersion', { PolicyDocument: allow('*') }],
    ['SetDefaultPolicyVersion', { VersionId: 'v8' }],
    ['DeletePolicyVersion', { VersionId: 'v8' }],
    ['TagPolicy', { 'Tags.member.1.Key': 'a', 'Tags.member.1.Value': 'b' }],
  ] as const) {
    expect(await refused(action, { PolicyArn, ...more })).toMatch(/^400 UnmodifiableEntity/)
  }
  expect(await refused('GetPolicy', { PolicyArn: 'arn:aws-cn:iam::aws:policy/AdministratorAccess' })).toMatch(
    /NoSuchEntity/,
  )
})

test('policies are listed by who made them, how they are used and where they are', async () => {
  await create('Used', allow('ssm:*'), { Path: '/listed/' })
  await create('Bound', allow('ssm:*'), { Path: '/listed/' })
  await create('Idle', allow('ssm:*'), { Path: '/listed/' })
  await api.user('lister', { policies: [own('listed/Used')] })
  await iam('PutUserPermissionsBoundary', { UserName: 'lister', PermissionsBoundary: own('listed/Bound') })
  const listed = async (more: Record<string, string>) =>
    names((await iam('ListPolicies', { PathPrefix: '/listed/', ...more })).Policies).sort()
  expect(await listed({})).toEqual(['Bound', 'Idle', 'Used'])
  expect(await listed({ Scope: 'AWS' })).toEqual([])
  expect(await listed({ OnlyAttached: 'true' })).toEqual(['Bound', 'Used'])
  expect(await listed({ PolicyUsageFilter: 'PermissionsPolicy' })).toEqual(['Used'])
  expect(await listed({ PolicyUsageFilter: 'PermissionsBoundary' })).toEqual(['Bound'])
  expect(names((await iam('ListPolicies', { Scope: 'AWS' })).Policies)).toContain('AdministratorAccess')
  const bound = await iam('ListEntitiesForPolicy', { PolicyArn: own('listed/Bound') })
  expect(names(bound.PolicyUsers)).toEqual(['lister'])
  expect(bound.PolicyGroups).toBe('')
  const attached = await iam('ListEntitiesForPolicy', {
    PolicyArn: own('listed/Bound'),
    PolicyUsageFilter: 'PermissionsPolicy',
  })
  expect(attached.PolicyUsers).toBe('')
  for (const name of ['Used', 'Bound']) {
    expect(await refused('DeletePolicy', { PolicyArn: own(`listed/${name}`) })).toBe(
      '409 DeleteConflict: Cannot delete a policy attached to entities.',
    )
  }
})

test('whatever a user, a group or a role is given, it has until it is taken away', async () => {
  await api.user('ada', { policies: [] })
  await iam('CreateGroup', { GroupName: 'ops' })
  for (const [type, owner] of [
    ['User', { UserName: 'ada' }],
    ['Group', { GroupName: 'ops' }],
    ['Role', { RoleName: 'SSMServiceRole' }],
  ] as const) {
    const attached = async () => names((await iam(`ListAttached${type}Policies`, owner)).AttachedPolicies)
    const before = await attached()
    await iam(`Attach${type}Policy`, { ...owner, PolicyArn: READ_ONLY })
    await iam(`Attach${type}Policy`, { ...owner, PolicyArn: READ_ONLY })
    expect(await attached()).toEqual([...before, 'AmazonSSMReadOnlyAccess'])
    await iam(`Detach${type}Policy`, { ...owner, PolicyArn: READ_ONLY })
    expect(await attached()).toEqual(before)
    expect(await refused(`Detach${type}Policy`, { ...owner, PolicyArn: READ_ONLY })).toBe(
      `404 NoSuchEntity: Policy ${READ_ONLY} was not found.`,
    )
    expect(await refused(`Attach${type}Policy`, { ...owner, PolicyArn: own('Nowhere') })).toBe(
      `404 NoSuchEntity: Policy ${own('Nowhere')} does not exist or is not attachable.`,
    )

    const PolicyDocument = '{ "Statement": { "Effect": "Deny", "Action": "ssm:*", "Resource": "*" } }'
    await iam(`Put${type}Policy`, { ...owner, PolicyName: 'own', PolicyDocument: allow('ssm:*') })
    await iam(`Put${type}Policy`, { ...owner, PolicyName: 'own', PolicyDocument })
    expect((await iam(`List${type}Policies`, owner)).PolicyNames).toEqual(['own'])
    const found = await iam(`Get${type}Policy`, { ...owner, PolicyName: 'own' })
    expect(found).toMatchObject({ ...owner, PolicyName: 'own' })
    expect(decodeURIComponent(found.PolicyDocument)).toBe(PolicyDocument)
    await iam(`Delete${type}Policy`, { ...owner, PolicyName: 'own' })
    for (const action of [`Get${type}Policy`, `Delete${type}Policy`]) {
      expect(await refused(action, { ...owner, PolicyName: 'own' })).toBe(
        `404 NoSuchEntity: The ${type.toLowerCase()} policy with name own cannot be found.`,
      )
    }
    expect(await refused(`Put${type}Policy`, { ...owner, PolicyName: 'own', PolicyDocument: '[]' })).toMatch(
      /^400 MalformedPolicyDocument/,
    )
  }
  expect(await refused('AttachUserPolicy', { UserName: 'nobody', PolicyArn: READ_ONLY })).toBe(
    '404 NoSuchEntity: The user with name nobody cannot be found.',
  )
  expect(await refused('ListGroupPolicies', { GroupName: 'nobody' })).toMatch(/The group with name nobody/)
})

test('twenty are attached at most, and all of an inline policy together are so long at most', async () => {
  await api.user('full', { policies: [] })
  for (let i = 0; i < 21; i++) await create(`Many${i}`)
  const attach = (i: number) => refused('AttachUserPolicy', { UserName: 'full', PolicyArn: own(`Many${i}`) })
  const outcomes = await Promise.all(Array.from({ length: 21 }, (_, i) => attach(i)))
  expect(outcomes.filter(outcome => outcome !== 'nothing')).toEqual([
    '409 LimitExceeded: Cannot exceed quota for PoliciesPerUser: 20',
  ])
  const put = (PolicyName: string, length: number) =>
    refused('PutUserPolicy', {
      UserName: 'full',
      PolicyName,
      PolicyDocument: allow(`ssm:${'a'.repeat(length)}`),
    })
  const tooLarge = '409 LimitExceeded: Maximum policy size of 2048 bytes exceeded for user full'
  expect(await put('a', 1_000)).toBe('nothing')
  expect(await put('b', 1_000)).toBe(tooLarge)
  expect(await put('b', 500)).toBe('nothing')
  // In its own place there is room for a longer one.
  expect(await put('a', 1_200)).toBe('nothing')
  expect(await put('a', 1_500)).toBe(tooLarge)
})

test('a policy acts at once, and so does its end', async () => {
  const eve = await api.user('eve', { policies: [] })
  const list = () => api.code('DescribeSessions', { State: 'Active' }, eve)
  expect(await list()).toBe('AccessDeniedException')
  await create('Eve', allow('ssm:DescribeSessions'))
  await iam('AttachUserPolicy', { UserName: 'eve', PolicyArn: own('Eve') })
  expect(await list()).toBe('')
  await iam('CreatePolicyVersion', {
    PolicyArn: own('Eve'),
    PolicyDocument: allow('ssm:GetDocument'),
    SetAsDefault: 'true',
  })
  expect(await list()).toBe('AccessDeniedException')
  await iam('SetDefaultPolicyVersion', { PolicyArn: own('Eve'), VersionId: 'v1' })
  expect(await list()).toBe('')
  await iam('DetachUserPolicy', { UserName: 'eve', PolicyArn: own('Eve') })
  expect(await list()).toBe('AccessDeniedException')
})

test('who may give policies away is decided by policies, down to which ones and to whom', async () => {
  const delegate = await api.user('delegate', {
    policies: [
      JSON.stringify({
        Version: '2012-10-17',
        Statement: {
          Effect: 'Allow',
          Action: 'iam:AttachUserPolicy',
          Resource: `arn:aws:iam::${ACCOUNT}:user/new`,
          Condition: { ArnEquals: { 'iam:PolicyARN': READ_ONLY } },
        },
      }),
    ],
  })
  await api.user('new', { policies: [] })
  const attach = (UserName: string, PolicyArn: string) =>
    refused('AttachUserPolicy', { UserName, PolicyArn }, delegate)
  expect(await attach('new', READ_ONLY)).toBe('nothing')
  expect(await attach('new', 'arn:aws:iam::aws:policy/AdministratorAccess')).toMatch(/^403 AccessDenied/)
  expect(await attach('delegate', READ_ONLY)).toMatch(
    /^403 AccessDenied: User: arn:aws:iam::123456789012:user\/delegate is not authorized to perform: iam:AttachUserPolicy on resource: arn:aws:iam::123456789012:user\/delegate/,
  )
})

test('the whole account is told, page by page', async () => {
  const seen: string[] = []
  let Marker: string | undefined
  do {
    const page = await iam('GetAccountAuthorizationDetails', { MaxItems: '3', ...(Marker ? { Marker } : {}) })
    for (const member of ['UserDetailList', 'GroupDetailList', 'RoleDetailList', 'Policies']) {
      if (Array.isArray(page[member])) seen.push(...page[member].map((each: { Arn: string }) => each.Arn))
    }
    Marker = page.Marker
  } while (Marker !== undefined)
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen).toEqual(
    expect.arrayContaining([
      `arn:aws:iam::${ACCOUNT}:user/admin`,
      `arn:aws:iam::${ACCOUNT}:group/ops`,
      `arn:aws:iam::${ACCOUNT}:role/SSMServiceRole`,
      own('Versions'),
      'arn:aws:iam::aws:policy/AdministratorAccess',
    ]),
  )
  expect(seen).not.toContain('arn:aws:iam::aws:policy/PowerUserAccess')
  const { RoleDetailList, UserDetailList } = await iam('GetAccountAuthorizationDetails', {
    'Filter.member.1': 'Role',
  })
  expect(UserDetailList).toBe('')
  const role = RoleDetailList.find(({ RoleName }: { RoleName: string }) => RoleName === 'SSMServiceRole')
  expect(role.AttachedManagedPolicies).toEqual([
    {
      PolicyName: 'AmazonSSMManagedInstanceCore',
      PolicyArn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore',
    },
  ])
  expect(JSON.parse(decodeURIComponent(role.AssumeRolePolicyDocument))).toHaveProperty('Statement')
})
