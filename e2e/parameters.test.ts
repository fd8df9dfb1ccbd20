import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as ssm from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addPerson } from './people.ts'
import { type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// Parameter Store, as somebody who knows AWS's uses it: with the real aws CLI and the SDK.

const SECRET = 'p4ssw0rd-of-the-database'
let stack: Stack

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
})
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

const put = (name: string, value: string, ...args: string[]) =>
  stack.api('put-parameter', '--name', name, '--value', value, ...args)

/** Everything that the server has written. */
function everythingOnDisk(): Buffer {
  const files = readdirSync(stack.dataDirectory, { recursive: true, withFileTypes: true })
  const contents = files
    .filter(file => file.isFile())
    .map(file => readFileSync(join(file.parentPath, file.name)))
  return Buffer.concat(contents)
}

describe('with the aws CLI', () => {
  test('somebody puts the settings of an application, and its programs get them', async () => {
    expect(await put('/app/prod/url', 'db.internal:5432', '--type', 'String')).toEqual({
      Version: 1,
      Tier: 'Standard',
    })
    const tags = ['--tags', 'Key=app,Value=shop']
    await put('/app/prod/db/password', SECRET, '--type', 'SecureString', ...tags)
    await put('/app/prod/zones', 'a,b,c', '--type', 'StringList', '--description', 'where it runs')

    const { Parameter } = await stack.api('get-parameter', '--name', '/app/prod/url')
    expect(Parameter).toMatchObject({
      Value: 'db.internal:5432',
      ARN: 'arn:aws:ssm:us-east-1:123456789012:parameter/app/prod/url',
    })
    const password = ['get-parameter', '--name', '/app/prod/db/password'] as const
    expect((await stack.api(...password, '--with-decryption')).Parameter.Value).toBe(SECRET)
    expect((await stack.api(...password)).Parameter.Value).not.toContain(SECRET)
  })

  test('a program gets all that is below a path, and several by name', async () => {
    const names = async (...args: string[]) => {
      const found = await stack.api('get-parameters-by-path', '--path', '/app/prod', ...args)
      return found.Parameters.map(({ Name }: { Name: string }) => Name)
    }
    expect(await names()).toEqual(['/app/prod/url', '/app/prod/zones'])
    expect(await names('--recursive')).toEqual(['/app/prod/db/password', '/app/prod/url', '/app/prod/zones'])
    const several = await stack.api('get-parameters', '--names', '/app/prod/url', '/app/prod/nope')
    expect(several).toMatchObject({
      Parameters: [{ Name: '/app/prod/url' }],
      InvalidParameters: ['/app/prod/nope'],
    })
    const tagged = await stack.api('describe-parameters', '--parameter-filters', 'Key=tag:app,Values=shop')
    expect(tagged.Parameters).toMatchObject([
      { Name: '/app/prod/db/password', Type: 'SecureString', KeyId: 'alias/aws/ssm' },
    ])
  })

  test('a value changes: earlier ones stay, and a label says which one counts', async () => {
    const name = '/app/prod/flag'
    await put(name, 'off', '--type', 'String')
    const refused = await stack.aws('ssm', 'put-parameter', '--name', name, '--value', 'on')
    expect(refused.stderr).toContain('(ParameterAlreadyExists)')
    expect(await put(name, 'on', '--overwrite')).toMatchObject({ Version: 2 })
    await stack.api('label-parameter-version', '--name', name, '--parameter-version', '1', '--labels', 'live')
    expect((await stack.api('get-parameter', '--name', `${name}:live`)).Parameter).toMatchObject({
      Value: 'off',
      Selector: ':live',
    })
    await stack.api('label-parameter-version', '--name', name, '--labels', 'live')
    expect((await stack.api('get-parameter', '--name', `${name}:live`)).Parameter.Value).toBe('on')
  })

  test('its history is told, a label is taken off, and it is deleted with all of that', async () => {
    const name = '/app/prod/flag'
    const { Parameters } = await stack.api('get-parameter-history', '--name', name)
    expect(Parameters).toMatchObject([
      { Version: 1, Value: 'off', Labels: [] },
      { Version: 2, Value: 'on', Labels: ['live'], LastModifiedUser: expect.stringContaining('user/admin') },
    ])
    await stack.api(
      'unlabel-parameter-version',
      '--name',
      name,
      '--parameter-version',
      '2',
      '--labels',
      'live',
    )
    const gone = await stack.aws('ssm', 'get-parameter', '--name', `${name}:live`)
    expect(gone.stderr).toContain('(ParameterVersionNotFound)')
    await stack.api('delete-parameter', '--name', name)
    const { stderr } = await stack.aws('ssm', 'get-parameter', '--name', name)
    expect(stderr).toContain('(ParameterNotFound)')
  })

  test('who has no permission gets nothing, whether it exists or not', async () => {
    const Action = ['ssm:GetParameter', 'ssm:GetParametersByPath']
    const Resource = 'arn:aws:ssm:*:*:parameter/app/dev/*'
    const ada = await addPerson(stack, 'ada', {
      Version: '2012-10-17',
      Statement: { Effect: 'Allow', Action, Resource },
    })
    await put('/app/dev/url', 'localhost', '--type', 'String')
    const mine = await ada.aws('ssm', 'get-parameter', '--name', '/app/dev/url')
    expect(JSON.parse(mine.stdout)).toMatchObject({ Parameter: { Value: 'localhost' } })
    const path = await ada.aws('ssm', 'get-parameters-by-path', '--path', '/app/dev')
    expect(path.code).toBe(0)
    for (const args of [
      ['get-parameter', '--name', '/app/prod/db/password', '--with-decryption'],
      ['get-parameter', '--name', '/app/prod/none'],
      ['get-parameters-by-path', '--path', '/app', '--recursive'],
      ['put-parameter', '--name', '/app/dev/url', '--value', 'x', '--overwrite'],
    ]) {
      const { code, stderr, stdout } = await ada.aws('ssm', ...args)
      expect([code, stdout]).toEqual([254, ''])
      expect(stderr).toContain('(AccessDeniedException)')
    }
  })

  test('a SecureString is nowhere on the disk, and there after a restart', async () => {
    expect(stack.server.output).not.toContain(SECRET)
    expect(everythingOnDisk().includes('db.internal:5432')).toBe(true)
    expect(everythingOnDisk().includes(SECRET)).toBe(false)
    await stack.server.stop()
    expect(everythingOnDisk().includes(SECRET)).toBe(false)
    await stack.startServer()
    const args = ['--name', '/app/prod/db/password', '--with-decryption'] as const
    expect((await stack.api('get-parameter', ...args)).Parameter.Value).toBe(SECRET)
  })

  test.runIf(process.env.SALLYPORT_TEST_AWS1)('version 1 of it does the same', async () => {
    const aws = (...args: string[]) =>
      run(process.env.SALLYPORT_TEST_AWS1 ?? 'aws', ['ssm', ...args, '--endpoint-url', stack.endpoint], {
        env: stack.env,
      })
    const made = await aws('put-parameter', '--name', '/v1/a', '--value', 'x', '--type', 'SecureString')
    expect(made).toMatchObject({ code: 0, stderr: '' })
    const text = ['--query', 'Parameter.Value', '--output', 'text'] as const
    const { stdout } = await aws('get-parameter', '--name', '/v1/a', '--with-decryption', ...text)
    expect(stdout.trim()).toBe('x')
  })
})

describe('with the SDK for JavaScript', () => {
  const open = () => {
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = stack.env
    return new ssm.SSMClient({
      endpoint: stack.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
      requestHandler: { httpsAgent: { ca: readFileSync(stack.caFile) } },
    })
  }

  test('a program goes through a path with the paginator', async () => {
    const client = open()
    const Names = Array.from({ length: 12 }, (_, i) => `/pages/${String(i).padStart(2, '0')}`)
    for (const Name of Names) {
      await client.send(new ssm.PutParameterCommand({ Name, Value: Name, Type: 'String' }))
    }
    const sizes: number[] = []
    const values: Array<string | undefined> = []
    const config = { client, pageSize: 5 }
    for await (const page of ssm.paginateGetParametersByPath(config, { Path: '/pages' })) {
      sizes.push(page.Parameters?.length ?? 0)
      values.push(...(page.Parameters ?? []).map(({ Value }) => Value))
      expect(page.Parameters?.[0]?.LastModifiedDate).toBeInstanceOf(Date)
    }
    expect(sizes).toEqual([5, 5, 2])
    expect(values).toEqual(Names)
    const deleted = await client.send(new ssm.DeleteParametersCommand({ Names: Names.slice(0, 10) }))
    expect(deleted.DeletedParameters).toHaveLength(10)
    client.destroy()
  })

  test('errors are of the classes that AWS has', async () => {
    const client = open()
    const Name = '/errors/a'
    await client.send(
      new ssm.PutParameterCommand({ Name, Value: '1', Type: 'String', AllowedPattern: '\\d' }),
    )
    const refused = (input: Partial<ssm.PutParameterCommandInput>) =>
      client.send(new ssm.PutParameterCommand({ Name, Value: '2', ...input }))
    await expect(refused({})).rejects.toBeInstanceOf(ssm.ParameterAlreadyExists)
    const mismatch = refused({ Overwrite: true, Value: '22' })
    await expect(mismatch).rejects.toBeInstanceOf(ssm.ParameterPatternMismatchException)
    const key = refused({ Name: '/errors/b', Type: 'SecureString', KeyId: 'alias/mine' })
    await expect(key).rejects.toBeInstanceOf(ssm.InvalidKeyId)
    const deep = refused({ Name: '/l'.repeat(16), Type: 'String' })
    await expect(deep).rejects.toBeInstanceOf(ssm.HierarchyLevelLimitExceededException)
    const get = (name: string) => client.send(new ssm.GetParameterCommand({ Name: name }))
    await expect(get('/errors/none')).rejects.toBeInstanceOf(ssm.ParameterNotFound)
    await expect(get('/errors/a:2')).rejects.toBeInstanceOf(ssm.ParameterVersionNotFound)
    client.destroy()
  })
})
