import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ChaosProxy } from './chaos-proxy.ts'
import { addPerson, type Person } from './people.ts'
import { connect, startSession } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'

// The minimum policies that users of AWS's system pass on to each other have to be enough here, and no more than enough.

/** From a guide, word for word. */
const SHELLS = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: [
        'ssm:StartSession',
        'ssm:DescribeInstanceInformation',
        'ssm:GetConnectionStatus',
        'ssm:TerminateSession',
      ],
      Resource: '*',
    },
  ],
}
/** From another, which has the statement alone. */
const ADMINISTRATORS = {
  Effect: 'Allow',
  Action: ['ssm:StartSession', 'ssm:DescribeSessions', 'ssm:TerminateSession'],
  Resource: '*',
}

let stack: Stack
let developer: Person

beforeAll(async () => {
  stack = await startStack()
  developer = await addPerson(stack, 'developer', SHELLS)
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

describe('with the minimum for shells', () => {
  test('a shell opens and ends, through the aws CLI and through ours', async () => {
    for (const open of [startSession, connect]) {
      await using shell = await open(stack, [], { env: developer.env })
      expect(shell.sessionId).toMatch(/^developer-/)
      expect(await shell.run('echo $((6 * 7))')).toBe('42')
      await shell.type('exit\r')
      expect((await shell.ended()).status).toBe(0)
    }
  })

  test('a shell whose connection breaks comes back, though ssm:ResumeSession is not in it', async () => {
    for (const open of [startSession, connect]) {
      await using proxy = await ChaosProxy.to(stack.httpsPort)
      const args =
        open === connect
          ? [stack.node.id, '--endpoint-url', proxy.endpoint]
          : ['--endpoint-url', proxy.endpoint]
      await using shell = await open(stack, args, { env: developer.env })
      await shell.run('kept=yes')
      proxy.cut()
      expect(await shell.run('echo $kept')).toBe('yes')
      await shell.type('exit\r')
      expect((await shell.ended()).status).toBe(0)
    }
  })

  test('nodes are listed, asked after, and own sessions terminated', async () => {
    const nodes = await developer.aws('ssm', 'describe-instance-information')
    expect(JSON.parse(nodes.stdout).InstanceInformationList).toHaveLength(1)
    const status = await developer.aws('ssm', 'get-connection-status', '--target', stack.node.id)
    expect(JSON.parse(status.stdout)).toEqual({ Target: stack.node.id, Status: 'connected' })
    await using shell = await connect(stack, [], { env: developer.env })
    const ended = await developer.aws('ssm', 'terminate-session', '--session-id', shell.sessionId)
    expect(ended).toMatchObject({ code: 0 })
    expect((await shell.ended()).said).toContain('ended by user/developer')
  })

  test.each([
    ['ssm', 'DescribeSessions', ['describe-sessions', '--state', 'Active']],
    ['ssm', 'CreateActivation', ['create-activation', '--iam-role', 'SSMServiceRole']],
    ['ssm', 'CreateDocument', ['create-document', '--name', 'Mine', '--content', '{}']],
    ['ssm', 'ListDocuments', ['list-documents']],
    ['ssm', 'DescribeActivations', ['describe-activations']],
  ])('%s:%s fails with the line that the aws CLI has for it', async (service, operation, args) => {
    const { code, stdout, stderr } = await developer.aws(service, ...args)
    expect({ code, stdout }).toEqual({ code: 254, stdout: '' })
    const line = `An error occurred (AccessDeniedException) when calling the ${operation} operation: User: arn:aws:iam::`
    expect(stderr.trim()).toMatch(new RegExp(`^(aws: \\[ERROR\\]: )?${line.replace(/[()]/g, '\\$&')}`))
    expect(stderr).toContain(
      `:user/developer is not authorized to perform: ${service}:${operation} on resource: `,
    )
    expect(stderr).toContain(`because no identity-based policy allows the ${service}:${operation} action`)
  })

  test('IAM and EC2 say it in their own words', async () => {
    const iam = await developer.aws('iam', 'list-users')
    expect(iam.stderr).toContain(
      'An error occurred (AccessDenied) when calling the ListUsers operation: User: arn:aws:iam::',
    )
    const ec2 = await developer.aws('ec2', 'describe-instances')
    expect(ec2.stderr).toContain(
      'An error occurred (UnauthorizedOperation) when calling the DescribeInstances operation: ',
    )
  })
})

describe('with that of administrators', () => {
  test('the bare statement is refused with what to do about it, and wrapped it is enough', async () => {
    await expect(addPerson(stack, 'bare', ADMINISTRATORS)).rejects.toThrow(
      /MalformedPolicyDocument.*"Statement"/,
    )
    const operator = await addPerson(stack, 'operator', {
      Version: '2012-10-17',
      Statement: [ADMINISTRATORS],
    })
    await using shell = await startSession(stack, [], { env: operator.env })
    const { stdout } = await operator.aws('ssm', 'describe-sessions', '--state', 'Active')
    const [session] = JSON.parse(stdout).Sessions
    expect(session).toMatchObject({
      SessionId: shell.sessionId,
      Owner: expect.stringMatching(/user\/operator$/),
    })
    await operator.aws('ssm', 'terminate-session', '--session-id', shell.sessionId)
    await shell.ended()
    const { stderr } = await operator.aws('ssm', 'describe-instance-information')
    expect(stderr).toContain('(AccessDeniedException) when calling the DescribeInstanceInformation operation')
  })
})
