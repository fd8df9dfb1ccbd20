import { expect, test } from 'vitest'
import { byName, scene, scripts } from './testing-document.ts'

type Asked = { Names: string[]; WithDecryption: boolean }
const store = (parameters: Record<string, { Type?: string; Value: string; Version?: number }>) => ({
  GetParameters: ({ Names }: Asked) => {
    const found = Names.flatMap(name => {
      const [Name = '', version] = name.split(':')
      const parameter = parameters[Name]
      if (parameter === undefined) return []
      const Selector = version === undefined ? undefined : `:${version}`
      return [{ Name, Type: 'String', Version: 1, Selector, ...parameter }]
    })
    return { Parameters: found, InvalidParameters: [] }
  },
})

test('parameters of the store are put in their places, in batches of ten', async () => {
  const many = Object.fromEntries(Array.from({ length: 23 }, (_, i) => [`/p/${i}`, { Value: `value ${i}` }]))
  const names = Object.keys(many)
  const { run, calls } = scene(
    scripts({ one: names.map(name => `echo {{ssm:${name}}} {{ ssm:${name} }}`).join('\n') }),
    {
      server: store(many),
    },
  )
  const { steps } = await run()
  expect(byName(steps, 'one').standardOutput).toBe(names.map((_, i) => `value ${i} value ${i}\n`).join(''))
  expect(calls.map(call => (call.input as Asked).Names.length)).toEqual([10, 10, 3])
  expect(calls.every(call => !(call.input as Asked).WithDecryption)).toBe(true)
})

test('versions, labels, and references in parameters and defaults', async () => {
  const { run } = scene(
    scripts(
      { one: 'echo {{ssm:db:3}} {{ given }} {{ preset }}' },
      {
        parameters: { given: { type: 'String' }, preset: { type: 'String', default: '{{ssm:db:stable}}' } },
      },
    ),
    { parameters: { given: '{{ssm:db}}' }, server: store({ db: { Value: 'postgres' } }) },
  )
  expect((await run()).steps[0]?.standardOutput).toBe('postgres postgres postgres\n')
})

test('a list becomes elements, and is no text', async () => {
  const server = store({ steps: { Type: 'StringList', Value: 'echo a,echo b' } })
  const list = scene(scripts({ one: { runCommand: ['echo first', '{{ssm:steps}}'] } }), { server })
  expect((await list.run()).steps[0]?.standardOutput).toBe('first\na\nb\n')
  const text = scene(scripts({ one: 'echo {{ssm:steps}}' }), { server })
  expect(await text.run()).toMatchObject({
    status: 'Failed',
    trace: 'Parameter steps of type StringList cannot be used as a String',
  })
})

test('secrets and what is missing fail the document before anything runs', async () => {
  const secret = scene(scripts({ one: 'touch ran', two: 'echo {{ssm:key}}' }), {
    server: store({ key: { Type: 'SecureString', Value: 'ciphertext' } }),
  })
  expect(await secret.run()).toMatchObject({
    status: 'Failed',
    steps: [],
    trace: 'Parameters [key] of type SecureString are not supported',
  })
  const missing = scene(scripts({ one: 'echo {{ssm:nothing}} {{ssm-secure:x}}' }), { server: store({}) })
  expect(await missing.run()).toMatchObject({
    status: 'Failed',
    trace: 'Input contains invalid parameters [nothing]',
  })
})

test('a value of the store for the environment is no code either', async () => {
  const { run } = scene(
    scripts(
      { one: 'printf %s "$SSM_v"' },
      {
        parameters: { v: { type: 'String', interpolationType: 'ENV_VAR', default: '{{ssm:v}}' } },
      },
    ),
    { server: store({ v: { Value: '"; echo $(id)' } }) },
  )
  expect((await run()).steps[0]?.standardOutput).toBe('"; echo $(id)')
})

test('nobody is asked where nothing refers to the store', async () => {
  const { run, calls } = scene(scripts({ one: 'echo {{ x }}' }))
  expect((await run()).steps[0]?.standardOutput).toBe('{{ x }}\n')
  expect(calls).toEqual([])
})
