import { describe, expect, test } from 'vitest'
import { commandRequest, type RequestOptions } from './request.ts'

const request = (words: string[], options: RequestOptions = {}) =>
  commandRequest(words, options, async file => (file === 'empty' ? ' \n' : `#!/bin/sh\necho ${file}\n`))

describe('the script is', () => {
  test.each<[string, string[], RequestOptions, string]>([
    ['one word as it is', ["echo '$HOME' | wc"], {}, "echo '$HOME' | wc"],
    ['several words, joined as ssh joins them', ['df', '-h', '/a b'], {}, 'df -h /a b'],
    ['standard input', ['-'], {}, '#!/bin/sh\necho undefined\n'],
    ['standard input, as a file', [], { file: '-' }, '#!/bin/sh\necho undefined\n'],
    ['a file', [], { file: 'x.sh' }, '#!/bin/sh\necho x.sh\n'],
  ])('%s', async (_, words, options, script) => {
    expect(await request(words, options)).toEqual({
      DocumentName: 'AWS-RunShellScript',
      Parameters: { commands: [script] },
    })
  })
})

test('options become members and parameters of the request', async () => {
  const options = {
    comment: 'why',
    timeout: '2m',
    executionTimeout: '1h',
    workingDirectory: '/srv',
    maxConcurrency: '10%',
    maxErrors: '3',
  }
  expect(await request(['id'], options)).toEqual({
    DocumentName: 'AWS-RunShellScript',
    Parameters: { commands: ['id'], workingDirectory: ['/srv'], executionTimeout: ['3600'] },
    Comment: 'why',
    TimeoutSeconds: 120,
    MaxConcurrency: '10%',
    MaxErrors: '3',
  })
})

test('a document has its parameters, repeated ones as lists', async () => {
  const parameter = ['a=1', 'b=["x","y"]', 'a=2=3', 'c=[no json', 'd={"e":1}']
  expect(await request([], { document: 'D', documentVersion: '2', parameter })).toEqual({
    DocumentName: 'D',
    DocumentVersion: '2',
    Parameters: { a: ['1', '2=3'], b: ['x', 'y'], c: ['[no json'], d: ['{"e":1}'] },
  })
})

test('of a document words are the parameter commands', async () => {
  expect(await request(['Get-Date'], { document: 'AWS-RunPowerShellScript' })).toMatchObject({
    Parameters: { commands: ['Get-Date'] },
  })
})

describe('it is refused:', () => {
  test.each<[string, string[], RequestOptions]>([
    ['There is no command. For example: sallyport run web-1 web-2 -- uptime', [], {}],
    ['The command is empty.', [' '], {}],
    ['The script in empty is empty.', [], { file: 'empty' }],
    ['The command is given twice: by --file, and by the words behind --.', ['id'], { file: 'x' }],
    ['The command is given twice: by --parameter commands=', ['id'], { parameter: ['commands=x'] }],
    ['--parameter is "x": expected NAME=VALUE', [], { document: 'D', parameter: ['x'] }],
    ['--timeout is "soon": expected a time such as 90', ['id'], { timeout: 'soon' }],
    ['--execution-timeout is "0"', ['id'], { executionTimeout: '0' }],
    ['--execution-timeout is "4s": at least 5s is possible', ['id'], { executionTimeout: '4s' }],
    ['--execution-timeout is "3d": at most 2d is possible', ['id'], { executionTimeout: '3d' }],
    ['--timeout is "29": at least 30s is possible', ['id'], { timeout: '29' }],
    ['--timeout is "31d": at most 30d is possible', ['id'], { timeout: '31d' }],
    ['--max-errors is "many": expected a number', ['id'], { maxErrors: 'many' }],
    ['--max-errors is "101%": expected a number', ['id'], { maxErrors: '101%' }],
    ['--max-concurrency is "0": with that no node would begin', ['id'], { maxConcurrency: '0' }],
    ['--comment has 101 characters; at most 100 are kept.', ['id'], { comment: 'x'.repeat(101) }],
  ])('%s', async (message, words, options) => {
    await expect(request(words, options)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(message),
    })
  })
})
