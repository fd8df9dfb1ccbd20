import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AtWork, REVOKED } from './at-work.ts'
import { Bystanders } from './bystanders.ts'
import { addPerson, addRole, iam, jsonFile, type Person, withNewKey } from './people.ts'
import { openConnect, startSession } from './remote-shell.ts'
import { FIND, may, NOTHING, policy, SESSIONS } from './session-policies.ts'
import { type Stack, startStack } from './stack.ts'
import type { Environment } from './terminal.ts'

// What is taken away ends what is open, within 5 s, for whoever it was taken from and for nobody else
// (security-cases.md 16 and 19).

let stack: Stack
let bystanders: Bystanders

beforeAll(async () => {
  stack = await startStack()
  bystanders = await Bystanders.at(stack)
  await iam(stack, 'create-group', '--group-name', 'developers')
  await putGroupPolicy('developers', SESSIONS)
})

afterAll(async () => {
  await bystanders?.[Symbol.asyncDispose]()
  await stack?.[Symbol.asyncDispose]()
})

const file = (name: string, content: object) => jsonFile(stack, name, content)

async function putGroupPolicy(group: string, document: object): Promise<void> {
  const what = ['--group-name', group, '--policy-name', 'sessions']
  await iam(stack, 'put-group-policy', ...what, '--policy-document', await file(`group-${group}`, document))
}

async function createPolicy(name: string, document: object): Promise<string> {
  const what = ['--policy-name', name, '--policy-document', await file(name, document)]
  return (await iam(stack, 'create-policy', ...what)).Policy.Arn
}

/** What the record says of the shell's end. */
async function details({ shell }: { shell: { sessionId: string } }): Promise<string> {
  const filters = `key=SessionId,value=${shell.sessionId}`
  const { Sessions } = await stack.api('describe-sessions', '--state', 'History', '--filters', filters)
  expect(Sessions).toMatchObject([{ Status: 'Terminated' }])
  return Sessions[0].Details
}

/** The person works, something is taken away, the person is cut off; whoever else works notices nothing. */
async function expectEnded(env: Environment, take: () => Promise<unknown>, node?: string): Promise<string> {
  await using work = await AtWork.open(stack, env, node)
  await take()
  await work.expectRevoked()
  await bystanders.expectUndisturbed()
  return await details(work)
}

async function expectGoesOn(env: Environment, change: () => Promise<unknown>): Promise<void> {
  await using work = await AtWork.open(stack, env)
  await change()
  // Whoever loses everything at the same time shows when the change has been acted on.
  const lost = await addPerson(stack, `canary-${++canaries}`, SESSIONS)
  await using canary = await AtWork.open(stack, lost.env)
  await iam(stack, 'delete-user-policy', '--user-name', lost.name, '--policy-name', 'policy-1')
  await canary.expectRevoked()
  await work.expectAtWork()
}
let canaries = 0

describe('security-cases.md 16: mid-session', () => {
  test('a key that is deactivated ends what was started with it, and nothing of another key', async () => {
    const first = await addPerson(stack, 'keys', SESSIONS)
    const second = await withNewKey(stack, 'keys')
    await using other = await AtWork.open(stack, second.env)
    const key = ['--user-name', 'keys', '--access-key-id', first.accessKeyId]
    const reason = await expectEnded(first.env, () =>
      iam(stack, 'update-access-key', ...key, '--status', 'Inactive'),
    )
    expect(reason).toBe(`Not allowed any more: access key ${first.accessKeyId} was deactivated`)
    await other.expectAtWork()
  })

  test('a key that is deleted, and a user who is deleted', async () => {
    const { name, env, accessKeyId } = await addPerson(stack, 'leaver', SESSIONS)
    const reason = await expectEnded(env, async () => {
      await iam(stack, 'delete-access-key', '--user-name', name, '--access-key-id', accessKeyId)
      await iam(stack, 'delete-user-policy', '--user-name', name, '--policy-name', 'policy-1')
      await iam(stack, 'delete-user', '--user-name', name)
    })
    expect(reason).toBe(`Not allowed any more: access key ${accessKeyId} was deleted`)
  })

  test('a managed policy that is changed, and one that is detached', async () => {
    const arn = await createPolicy('Sessions', SESSIONS)
    const person = await addPerson(stack, 'managed', arn)
    const version = ['--policy-arn', arn, '--set-as-default', '--policy-document']
    const changed = await expectEnded(person.env, async () =>
      iam(stack, 'create-policy-version', ...version, await file('nothing', NOTHING)),
    )
    expect(changed).toContain('because no identity-based policy allows the ssm:StartSession action')
    await iam(stack, 'set-default-policy-version', '--policy-arn', arn, '--version-id', 'v1')
    await expectEnded(person.env, () =>
      iam(stack, 'detach-user-policy', '--user-name', 'managed', '--policy-arn', arn),
    )
  })

  test('a permissions boundary that is put', async () => {
    const { name, env } = await addPerson(stack, 'bounded', SESSIONS)
    const boundary = await createPolicy('Boundary', NOTHING)
    const reason = await expectEnded(env, () => {
      const what = ['--user-name', name, '--permissions-boundary', boundary]
      return iam(stack, 'put-user-permissions-boundary', ...what)
    })
    expect(reason).toContain('because no permissions boundary allows the ssm:StartSession action')
  })

  test('a group that somebody is taken out of', async () => {
    const { name, env } = await addPerson(stack, 'member')
    const member = ['--group-name', 'developers', '--user-name', name]
    await iam(stack, 'add-user-to-group', ...member)
    await expectEnded(env, () => iam(stack, 'remove-user-from-group', ...member))
  })

  test('a tag of the node that is changed, and one that is removed', async () => {
    const resource = ['--resource-type', 'ManagedInstance', '--resource-id', stack.node.id]
    const tag = (value: string) =>
      stack.api('add-tags-to-resource', ...resource, '--tags', `Key=env,Value=${value}`)
    const byTag = may('ssm:StartSession', { StringEquals: { 'ssm:resourceTag/env': 'dev' } })
    await tag('dev')
    const { env } = await addPerson(
      stack,
      'by-tag',
      policy(
        may(FIND),
        { ...byTag, Resource: 'arn:aws:ssm:*:*:managed-instance/*' },
        { ...may('ssm:StartSession'), Resource: 'arn:aws:ssm:*:*:document/*' },
      ),
    )
    await expectEnded(env, () => tag('prod'))
    await tag('dev')
    await expectEnded(env, () => stack.api('remove-tags-from-resource', ...resource, '--tag-keys', 'env'))
  })

  test('a node that is deregistered', async () => {
    const node = await stack.addNode('leaving')
    const { env } = await addPerson(stack, 'far', SESSIONS)
    await using work = await AtWork.open(stack, env, node.id)
    await stack.api('deregister-managed-instance', '--instance-id', node.id)
    await work.shell.terminal.waitFor(`${node.id} was deregistered.`, { timeoutMs: 5_000 })
    await bystanders.expectUndisturbed()
  })

  test('a document that is changed, and one that is deleted', async () => {
    const content = (parameters: object) => ({
      schemaVersion: '1.0',
      sessionType: 'Standard_Stream',
      parameters,
    })
    const anybody = content({ who: { type: 'String', default: 'anybody' } })
    const name = ['--name', 'Our-Shell']
    const written = ['--document-type', 'Session', '--content', await file('ours', anybody)]
    await stack.api('create-document', ...name, ...written)
    const { env } = await addPerson(stack, 'writer', SESSIONS)
    const begin = () =>
      startSession(stack, ['--document-name', 'Our-Shell', '--parameters', 'who=alice'], { env })
    await using first = await begin()
    const only = await file(
      'only',
      content({ who: { type: 'String', allowedValues: ['bob'], default: 'bob' } }),
    )
    const update = ['--document-version', '$LATEST', '--content', only]
    await stack.api('update-document', ...name, ...update)
    expect(await first.run('echo still')).toBe('still')
    await stack.api('update-document-default-version', ...name, '--document-version', '2')
    await first.terminal.waitFor(REVOKED, { timeoutMs: 5_000 })
    expect(await details({ shell: first })).toContain('document Our-Shell changed: The parameters do not fit')
    await stack.api('update-document-default-version', ...name, '--document-version', '1')
    await using second = await begin()
    await stack.api('delete-document', ...name)
    await second.terminal.waitFor(REVOKED, { timeoutMs: 5_000 })
    expect(await details({ shell: second })).toBe(
      'Not allowed any more: There is no document named Our-Shell.',
    )
    await bystanders.expectUndisturbed()
  })

  test('what is still allowed goes on', async () => {
    const arn = await createPolicy('Twice', SESSIONS)
    const { name, env } = await addPerson(stack, 'twice', SESSIONS, arn)
    await expectGoesOn(env, () => iam(stack, 'detach-user-policy', '--user-name', name, '--policy-arn', arn))
    await bystanders.expectUndisturbed()
  })
})

describe('role sessions', () => {
  const ARN = 'arn:aws:iam::123456789012:role/'
  let person: Person

  beforeAll(async () => {
    person = await addPerson(stack, 'roamer', policy(may('sts:AssumeRole')))
  })

  async function createRole(name: string): Promise<void> {
    const trust = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: { AWS: '123456789012' }, Action: ['sts:AssumeRole', 'sts:TagSession'] },
      ],
    }
    await addRole(stack, name, trust, SESSIONS)
  }

  async function assume(name: string, session: string, ...more: string[]): Promise<Environment> {
    const what = ['--role-arn', `${ARN}${name}`, '--role-session-name', session, ...more]
    const { code, stdout, stderr } = await person.aws('sts', 'assume-role', ...what)
    if (code !== 0) throw new Error(stderr)
    const { AccessKeyId, SecretAccessKey, SessionToken } = JSON.parse(stdout).Credentials
    return {
      ...stack.env,
      AWS_ACCESS_KEY_ID: AccessKeyId,
      AWS_SECRET_ACCESS_KEY: SecretAccessKey,
      AWS_SESSION_TOKEN: SessionToken,
    }
  }

  test('end with what the role may do, and with the role', async () => {
    await createRole('ops')
    const env = await assume('ops', 'alice')
    await expectEnded(env, async () => {
      await iam(stack, 'delete-role-policy', '--role-name', 'ops', '--policy-name', 'policy-1')
      await iam(stack, 'delete-role', '--role-name', 'ops')
    })
    await createRole('ops')
    const refused = await stack
      .api('describe-sessions', '--state', 'Active')
      .then(() => openConnect(stack, [], { env }))
    await using again = refused
    expect((await again.ended()).said, 'a role of the same name is another one').toMatch(
      /InvalidClientTokenId|security token/,
    )
  })

  test('end with the key of whoever has assumed the role', async () => {
    await createRole('borrowed')
    const lender = person
    const second = await withNewKey(stack, 'roamer')
    person = second
    try {
      const env = await assume('borrowed', 'bob')
      const key = ['--user-name', 'roamer', '--access-key-id', second.accessKeyId]
      const reason = await expectEnded(env, () =>
        iam(stack, 'update-access-key', ...key, '--status', 'Inactive'),
      )
      expect(reason).toContain(`access key ${second.accessKeyId} was deactivated`)
    } finally {
      person = lender
    }
  })

  test('keep to their session policy all the time', async () => {
    await createRole('narrowed')
    const node = stack.node.id
    const tags = ['--resource-type', 'ManagedInstance', '--resource-id', node]
    await stack.api('add-tags-to-resource', ...tags, '--tags', 'Key=team,Value=red')
    const onRed = policy(
      may(FIND),
      {
        ...may('ssm:StartSession', { StringEquals: { 'aws:ResourceTag/team': 'red' } }),
        Resource: 'arn:aws:ssm:*:*:managed-instance/*',
      },
      { ...may('ssm:StartSession'), Resource: 'arn:aws:ssm:*::document/AWS-*' },
    )
    const env = await assume('narrowed', 'carol', '--policy', JSON.stringify(onRed))
    const reason = await expectEnded(env, () =>
      stack.api('remove-tags-from-resource', ...tags, '--tag-keys', 'team'),
    )
    expect(reason).toContain('because no session policy allows the ssm:StartSession action')
  })

  test('security-cases.md 19: one that has the name of a user is not that user’s', async () => {
    await createRole('impostors')
    const own = {
      ...may(['ssm:TerminateSession', 'ssm:ResumeSession']),
      Resource: 'arn:aws:ssm:*:*:session/${aws:username}-*',
    }
    const dave = await addPerson(stack, 'dave', policy(may(['ssm:StartSession', ...FIND]), own))
    const env = await assume('impostors', 'dave')
    await using ofRole = await AtWork.open(stack, env)
    await using ofUser = await AtWork.open(stack, dave.env)
    const { sessionId } = ofRole.shell
    expect(sessionId).toMatch(/^dave-/)
    for (const operation of ['terminate-session', 'resume-session']) {
      const { code, stderr } = await dave.aws('ssm', operation, '--session-id', sessionId)
      expect({ code, stderr }).toEqual({
        code: 254,
        stderr: expect.stringContaining('DoesNotExistException'),
      })
    }
    await iam(stack, 'delete-user-policy', '--user-name', 'dave', '--policy-name', 'policy-1')
    await ofUser.expectRevoked()
    await ofRole.expectAtWork()
  })
})
