import { describe, expect, test } from 'vitest'
import { type ApiClient, ApiError } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { runCli } from '../main.ts'

const NODE = 'mi-0123456789abcdef0'
const NODE_ARN = `arn:aws-cn:ssm:eu-west-1:111122223333:managed-instance/${NODE}`
const ALICE = 'arn:aws-cn:iam::111122223333:user/team/alice'

const STATEMENT = {
  SourcePolicyId: 'group_devs_Dev',
  SourcePolicyType: 'group',
  PolicyName: 'Dev',
  PolicyOwner: 'devs',
  Sid: 'Shells',
  Effect: 'Allow',
  Layer: 'identity',
  StartPosition: { Line: '4', Column: '5' },
  EndPosition: { Line: '6', Column: '5' },
  StatementText: '{\n      "Sid": "Shells"\n    }',
}
const result = (more: object) => ({
  EvaluationResults: [
    {
      EvalDecision: 'implicitDeny',
      MatchedStatements: '',
      MissingContextValues: '',
      EvalDecisionDetails: [{ key: 'identity', value: 'implicitDeny' }],
      NearMisses: '',
      ...more,
    },
  ],
  IsTruncated: 'false',
})

const setUp = (answers: Record<string, unknown>) => {
  const seen = { out: '', err: '', calls: [] as Array<[operation: string, input: Record<string, unknown>]> }
  const all: Record<string, unknown> = {
    GetUser: { User: { Arn: ALICE } },
    DescribeInstanceInformation: { InstanceInformationList: [{ InstanceId: NODE, Name: 'web-1' }] },
    ListTagsForResource: { TagList: [{ Key: 'env', Value: 'dev' }] },
    ...answers,
  }
  const client: ApiClient = {
    call: async (_, operation, input) => {
      seen.calls.push([operation, input])
      const answer = all[operation]
      if (answer instanceof Error) throw answer
      return answer ?? {}
    },
  }
  const context: CommandContext = {
    env: {},
    out: text => {
      seen.out += text
    },
    err: text => {
      seen.err += text
    },
    now: () => 0,
    connect: async () => ({ client, endpoint: new URL('https://sallyport.test'), region: 'eu-west-1' }),
  }
  const asked = () => seen.calls.find(([operation]) => operation === 'SimulatePrincipalPolicy')?.[1]
  return { seen, asked, why: (...argv: string[]) => runCli(['policy', 'why', ...argv], context) }
}

test('a name that no node has may be that of a document', async () => {
  const { seen, why } = setUp({ DescribeInstanceInformation: { InstanceInformationList: [] } })
  expect(await why('alice', 'ssm:SendCommand', 'Greet')).toBe(1)
  expect(seen.err).toContain('There is no node "Greet"')
  expect(seen.err).toContain('Is it a document? document/Greet')
})

describe('the question', () => {
  type Entry = { ContextKeyName: string; ContextKeyValues: string[] }
  const entries = (asked: Record<string, unknown> = {}) => {
    const given = asked.ContextEntries as Entry[]
    return Object.fromEntries(given.map(each => [each.ContextKeyName, each.ContextKeyValues]))
  }

  test('names ARNs for what a person calls by name, and tells the tags', async () => {
    const { asked, why } = setUp({ SimulatePrincipalPolicy: result({}) })
    expect(await why('alice', 'ssm:GetConnectionStatus', 'web-1')).toBe(0)
    expect(asked()).toMatchObject({
      PolicySourceArn: ALICE,
      ActionNames: ['ssm:GetConnectionStatus'],
      ResourceArns: [NODE_ARN],
    })
    expect(entries(asked())).toEqual({ 'ssm:resourceTag/env': ['dev'], 'aws:ResourceTag/env': ['dev'] })
  })

  test('takes what is said over what is known, in any case, under both names of a tag', async () => {
    const { asked, why } = setUp({ SimulatePrincipalPolicy: result({}) })
    await why(
      'alice',
      'ssm:X',
      'web-1',
      '--context',
      'AWS:resourcetag/ENV=prod=1',
      '--context',
      'a:b=1',
      '--context',
      'a:b=2',
    )
    const told = entries(asked())
    expect(told['ssm:resourceTag/ENV']).toEqual(['prod=1'])
    expect(told['a:b']).toEqual(['1', '2'])
    expect(Object.values(told).flat()).not.toContain('dev')
  })

  test.each([
    ['*', '*'],
    [NODE_ARN, NODE_ARN],
    ['AWS-StartSSHSession', 'arn:aws-cn:ssm:eu-west-1::document/AWS-StartSSHSession'],
    [
      'SSM-SessionManagerRunShell',
      'arn:aws-cn:ssm:eu-west-1:111122223333:document/SSM-SessionManagerRunShell',
    ],
    ['document/Mine', 'arn:aws-cn:ssm:eu-west-1:111122223333:document/Mine'],
    ['session/alice-1', 'arn:aws-cn:ssm:eu-west-1:111122223333:session/alice-1'],
    [NODE, NODE_ARN],
    ['i-0123456789abcdef0', 'arn:aws-cn:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0'],
  ])('about %s is about %s', async (given, arn) => {
    const { asked, why } = setUp({ SimulatePrincipalPolicy: result({}) })
    await why('alice', 'ssm:X', given)
    expect(asked()?.ResourceArns).toEqual([arn])
  })

  test('about what does not exist can be asked all the same', async () => {
    const missing = new ApiError('InvalidDocument', 'no such document', 400)
    const { why } = setUp({
      SimulatePrincipalPolicy: result({}),
      DescribeDocument: missing,
      ListTagsForResource: new ApiError('InvalidResourceId', 'nothing there', 400),
    })
    expect(await why('alice', 'ssm:X', 'document/Planned')).toBe(0)
  })

  test('about a session of a role is about the role, with the id of the session', async () => {
    const role = 'arn:aws:iam::111122223333:role/path/Dev'
    const { asked, why } = setUp({
      SimulatePrincipalPolicy: result({}),
      GetRole: { Role: { Arn: role, RoleId: 'AROA1' } },
    })
    await why('arn:aws:sts::111122223333:assumed-role/Dev/alice', 'ssm:X')
    expect(asked()?.PolicySourceArn).toBe(role)
    expect(entries(asked())).toEqual({ 'aws:userid': ['AROA1:alice'] })
  })

  test('about a session tells whose it is and where', async () => {
    const row = { Owner: ALICE, Target: NODE }
    const { asked, why } = setUp({
      SimulatePrincipalPolicy: result({}),
      GetUser: { User: { Arn: ALICE, UserId: 'AIDA1' } },
      DescribeSessions: { Sessions: [row] },
    })
    await why('alice', 'ssm:TerminateSession', 'session/alice-1')
    expect(entries(asked())).toMatchObject({
      'ssm:resourceTag/aws:ssmmessages:session-id': ['AIDA1'],
      'ssm:resourceTag/aws:ssmmessages:target-id': [NODE],
    })
  })

  test('about a session of a role tells the id of who assumed it', async () => {
    const Owner = 'arn:aws-cn:sts::111122223333:assumed-role/Dev/bob'
    const { asked, why } = setUp({
      SimulatePrincipalPolicy: result({}),
      GetRole: { Role: { Arn: 'arn:aws-cn:iam::111122223333:role/Dev', RoleId: 'AROA1' } },
      DescribeSessions: { Sessions: [{ Owner, Target: NODE }] },
    })
    await why('alice', 'ssm:TerminateSession', 'arn:aws-cn:ssm:eu-west-1:111122223333:session/bob-1')
    expect(entries(asked())['ssm:resourceTag/aws:ssmmessages:session-id']).toEqual(['AROA1:bob'])
  })

  test('about what IAM has is by its name, with the path that it has', async () => {
    const role = 'arn:aws-cn:iam::111122223333:role/service/Nodes'
    const { asked, why } = setUp({
      SimulatePrincipalPolicy: result({}),
      GetRole: { Role: { Arn: role, RoleId: 'AROA1' } },
    })
    await why('alice', 'iam:PassRole', 'role/Nodes')
    expect(asked()?.ResourceArns).toEqual([role])
  })

  test.each([
    [['alice', 'StartSession'], 'StartSession'],
    [[NODE, 'ssm:UpdateInstanceInformation'], 'role/NAME'],
    [['alice', 'ssm:Start*'], 'ssm:Start*'],
    [['alice', 'ssm:X', '*', '--context', 'x'], '--context x'],
    [['alice', 'ssm:X', '*', '--context', 'x=y'], '--context x=y'],
    [['alice', 'ssm:X', 'arn:aws'], 'arn:aws'],
    [['alice'], 'action'],
  ])('%j makes no sense', async (argv, hint) => {
    const { seen, why } = setUp({ DescribeInstanceInformation: { InstanceInformationList: [] } })
    expect(await why(...argv)).toBe(2)
    expect(seen.err).toContain(hint)
  })
})

describe('the answer', () => {
  test('is 0 either way, and 1 for a no with --exit-code', async () => {
    const denied = setUp({ SimulatePrincipalPolicy: result({}) })
    expect(await denied.why('alice', 'ssm:X')).toBe(0)
    expect(await denied.why('alice', 'ssm:X', '--exit-code')).toBe(1)
    const allowed = setUp({ SimulatePrincipalPolicy: result({ EvalDecision: 'allowed' }) })
    expect(await allowed.why('alice', 'ssm:X', '--exit-code')).toBe(0)
  })

  test('says which statement allows, where it stands and what it says', async () => {
    const { seen, why } = setUp({
      SimulatePrincipalPolicy: result({
        EvalDecision: 'allowed',
        MatchedStatements: [
          STATEMENT,
          {
            ...STATEMENT,
            Layer: 'boundary',
            Sid: undefined,
            PolicyOwner: undefined,
            PolicyName: 'arn:aws:iam::1:policy/x/Limits',
            SourcePolicyType: 'user-managed',
            StatementText: '{"Effect":"Allow"}',
            EndPosition: { Line: '4', Column: '9' },
          },
        ],
        EvalDecisionDetails: [
          { key: 'identity', value: 'allowed' },
          { key: 'boundary', value: 'allowed' },
        ],
      }),
    })
    await why('alice', 'ssm:X')
    expect(seen.out).toBe(`ALLOWED: ${ALICE} may do ssm:X on all resources (*).
Statement Shells of Dev (inline, of group devs) allows it, and so does the permissions boundary.

Statements that match:
  Allow  statement Shells of Dev (inline, of group devs), lines 4 to 6
    {
      "Sid": "Shells"
    }
  Allow  a statement of the permissions boundary Limits (managed), line 4
    {
      "Effect": "Allow"
    }
`)
  })

  test('says which condition kept a statement out, and which values are not set', async () => {
    const UnmetConditions = [
      { Operator: 'StringLike', Key: 'aws:username', Wanted: ['a*', 'b*'], Found: ['carol'] },
      { Operator: 'Bool', Key: 'aws:MultiFactorAuthPresent', Wanted: ['true'] },
    ]
    const { seen, why } = setUp({
      SimulatePrincipalPolicy: result({
        NearMisses: [{ ...STATEMENT, UnmetConditions }],
        MissingContextValues: ['aws:MultiFactorAuthPresent', 'ssm:resourceTag/of-something-else'],
      }),
    })
    await why('alice', 'ssm:X')
    expect(seen.out).toContain(
      'Statement Shells of Dev (inline, of group devs) would allow it, but its condition StringLike aws:username "a*" or "b*" does not hold: it is "carol".',
    )
    expect(seen.out).toContain(
      'its condition Bool aws:MultiFactorAuthPresent "true" does not hold: it is not set\n',
    )
    expect(seen.out).toContain('(set it with --context KEY=VALUE):\n  aws:MultiFactorAuthPresent\n')
    expect(seen.out).not.toContain('of-something-else')
  })

  test('names the boundary that does not allow what policies do', async () => {
    const { seen, why } = setUp({
      SimulatePrincipalPolicy: result({
        MatchedStatements: [STATEMENT],
        EvalDecisionDetails: [
          { key: 'identity', value: 'allowed' },
          { key: 'boundary', value: 'implicitDeny' },
        ],
      }),
    })
    await why('alice', 'ssm:X')
    expect(seen.out).toContain('Its policies allow it, but no statement of its permissions boundary does')
  })

  test('does not let a policy drive the terminal', async () => {
    const { seen, why } = setUp({
      SimulatePrincipalPolicy: result({
        MatchedStatements: [
          { ...STATEMENT, Sid: 'a\u001b[2Jb', StatementText: '{\n"x": "\u202e\u001b]0;t\u0007"\n}' },
        ],
      }),
    })
    await why('alice', 'ssm:X')
    expect(seen.out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
    expect(seen.out).toContain('statement a?[2Jb')
  })

  test.each([
    [['ssm:StrtSession', 'web-1'], {}, 'Did you mean ssm:StartSession?'],
    [['ssm:SendFax', 'web-1'], {}, 'Nothing in this version asks for ssm:SendFax.'],
    [['ssm:StartSession'], {}, 'sallyport policy why alice ssm:StartSession RESOURCE'],
    [
      ['ssm:GetDocument', 'AWS-Nix'],
      { DescribeDocument: new ApiError('InvalidDocument', 'no', 400) },
      'Nothing is called AWS-Nix here.',
    ],
  ])('to %j says what may have been meant', async (asked, answers, hint) => {
    const { seen, why } = setUp({ SimulatePrincipalPolicy: result({}), ...answers })
    expect(await why('alice', ...asked)).toBe(0)
    expect(seen.err).toContain(hint)
  })

  test('needs no hint where everything that was named is there', async () => {
    const { seen, why } = setUp({ SimulatePrincipalPolicy: result({}) })
    await why('alice', 'ssm:OpenDataChannel', 'session/alice-1', '--json')
    await why('alice', 'ssm:startsession', 'web-1')
    await why('alice', 'ec2:DescribeInstances')
    expect(seen.err).toBe('')
  })

  test('that is none is an error', async () => {
    const { seen, why } = setUp({ SimulatePrincipalPolicy: {} })
    expect(await why('alice', 'ssm:X')).toBe(1)
    expect(seen.err).toContain('did not say')
  })
})
