import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'
import { checkParameterReferences } from './parameter-references.ts'

let api: ApiForTest
beforeAll(async () => {
  api = await openApi()
  const put = (Name: string, Type: string) => api.ok('PutParameter', { Name, Value: 'a', Type })
  await put('plain', 'String')
  await put('/app/list', 'StringList')
  await put('/app/secret', 'SecureString')
  await api.ok('LabelParameterVersion', { Name: '/app/list', Labels: ['prod'] })
})
afterAll(() => api.dispose())

const check = (value: unknown) => checkParameterReferences({ store: api.store, scope }, value)

test('what exists may be referred to, wherever it stands', async () => {
  await check({
    steps: [{ inputs: { runCommand: ['echo {{ssm:plain}}', 'x{{ ssm:/app/list }}{{ssm:plain:1}}'] } }],
    more: { deep: [null, 1, true, ['{{ssm:/app/list:prod}}']] },
  })
  await check('{{ssm:plain}}')
  for (const value of [undefined, null, 7, {}, 'no reference', '{{ other }} {{ssm-secure:x}} {ssm:x}']) {
    await check(value)
  }
})

test('what does not exist is named', async () => {
  for (const [reference, name] of [
    ['{{ssm:nothing}}', 'nothing'],
    ['{{   ssm:plain:2 }}', 'plain:2'],
    ['{{ssm:/app/list:test}}', '/app/list:test'],
    ['{{ssm:/app/list}} {{ssm:/app/none}}', '/app/none'],
    ['{{{ssm:}odd}} {{ssm:pl*in}}', 'pl*in'],
  ]) {
    await expect(check({ a: [reference] })).rejects.toMatchObject({
      code: 'InvalidParameters',
      message: expect.stringContaining(`{{ssm:${name}}}`),
    })
  }
})

test('a SecureString is refused', async () => {
  await expect(check(['{{ssm:/app/secret}}'])).rejects.toMatchObject({
    code: 'InvalidParameters',
    message: expect.stringContaining('{{ssm:/app/secret}} is a SecureString'),
  })
})

test('long text takes linear time, and many references are looked up', async () => {
  const started = performance.now()
  await check(`${'{{ssm:'.repeat(20_000)} ${'{{ '.repeat(20_000)} {{ssm:${'x'.repeat(60_000)}`)
  await check(`{{${' '.repeat(100_000)}`)
  expect(performance.now() - started).toBeLessThan(1000)
  const many = Array.from({ length: 120 }, (_, i) => `{{ssm:plain${i === 119 ? '-not' : ''}}} ${i}`)
  await expect(check(many)).rejects.toThrow('{{ssm:plain-not}}')
})
