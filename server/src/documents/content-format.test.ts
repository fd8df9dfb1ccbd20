import { AwsError } from '@sallyport/protocol/aws/error'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse as independentParse } from 'yaml'
import { amazonCommandDocuments } from './amazon-command-documents.ts'
import { checkSize, convertContent, readContent } from './content-format.ts'
import { parseYaml, toYaml } from './yaml-content.ts'

const YAML = `# what it is for
schemaVersion: "2.2"
mainSteps:
- action: aws:runShellScript # on Linux
  name: run
  inputs:
    runCommand:
    - |
      set -e
      echo 'a: b # no comment'
    - yes
`
const JSON_FORM = {
  schemaVersion: '2.2',
  mainSteps: [
    {
      action: 'aws:runShellScript',
      name: 'run',
      inputs: { runCommand: ["set -e\necho 'a: b # no comment'\n", 'yes'] },
    },
  ],
}

/** JSON as a document has it, without -0, which JSON itself does not keep. */
const json = fc.jsonValue({ maxDepth: 5 }).map(value => JSON.parse(JSON.stringify(value)))
const object = fc.dictionary(fc.string(), json).map(value => JSON.parse(JSON.stringify(value)))

describe('a document', () => {
  test('is the same in every format', () => {
    expect(readContent('YAML', YAML)).toEqual(JSON_FORM)
    expect(readContent('TEXT', YAML)).toEqual(JSON_FORM)
    expect(readContent('TEXT', ` ${JSON.stringify(JSON_FORM)}`)).toEqual(JSON_FORM)
    expect(JSON.parse(convertContent('YAML', YAML, 'JSON'))).toEqual(JSON_FORM)
    expect(parseYaml(convertContent('JSON', JSON.stringify(JSON_FORM), 'YAML'))).toEqual(JSON_FORM)
  })

  test('is as it was written when it is asked for in its own format, comments and all', () => {
    expect(convertContent('YAML', YAML, 'YAML')).toBe(YAML)
    expect(convertContent('YAML', YAML, 'TEXT')).toBe(YAML)
    expect(convertContent('TEXT', YAML, 'YAML')).toBe(YAML)
    const spaced = '{ "schemaVersion" : "2.2" }'
    expect(convertContent('JSON', spaced, 'JSON')).toBe(spaced)
  })

  test('keeps every value on its way through YAML', () => {
    fc.assert(
      fc.property(object, value => {
        const yaml = convertContent('JSON', JSON.stringify(value), 'YAML')
        expect(readContent('YAML', yaml)).toEqual(value)
        expect(JSON.parse(convertContent('YAML', yaml, 'JSON'))).toEqual(value)
        // As others read it, with the defaults of the library.
        expect(independentParse(yaml)).toEqual(value)
      }),
    )
    for (const document of Object.values(amazonCommandDocuments)) {
      expect(parseYaml(toYaml(JSON.parse(JSON.stringify(document))))).toEqual(document)
    }
  })

  test('cannot be changed by those who share it', () => {
    const document = readContent('JSON', JSON.stringify(JSON_FORM)) as typeof JSON_FORM
    expect(readContent('JSON', JSON.stringify(JSON_FORM))).toBe(document)
    expect(() => document.mainSteps.pop()).toThrow(TypeError)
  })

  test('has at most 64 KB, whatever its letters take', () => {
    expect(() => checkSize('x'.repeat(64 * 1024))).not.toThrow()
    expect(() => checkSize('ü'.repeat(33 * 1024))).toThrow('at most 64 KB')
  })
})

describe('YAML', () => {
  const complaint = (text: string): string => {
    try {
      readContent('YAML', text)
      return ''
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      return `${error.code}: ${error.message.replace('The content of the document is not valid: ', '')}`
    }
  }

  test.each([
    ['a: [', /^InvalidDocumentContent: it is not valid YAML: .*line 1/],
    ['a: 1\nb: 1\na: 2', /the key "a" is there twice \(line 3, column 1\)/],
    ['b: {c: 1, "c": 2}', /the key "c" is there twice/],
    ['1: a', /a key is not a string: put it in quotation marks \(line 1, column 1\)/],
    ['? [a]\n: b', /a key is not a string/],
    ['a: !!binary aGk=', /has no meaning in JSON|Unresolved tag/],
    ['a: !Ref b', /Unresolved tag: !Ref/],
    ['a: .nan', /\.nan has no meaning in JSON \(line 1, column 4\)/],
    ['a: -.inf', /has no meaning in JSON/],
    ['- a', /it is not a YAML mapping/],
    ['', /it is not a YAML mapping/],
    ['a: 1\n---\nb: 2', /it is not valid YAML: .*multiple documents/],
    ['a: *b', /it is not valid YAML: .*b/],
    ['a: 1 # \0', /it has a zero byte/],
    ['a: &a [*a]', /nested too deep/],
    [`a: ${'['.repeat(30_000)}`, /nested too deep/],
    // Near the end of the stack V8 ends the process rather than throw.
    ...['- ', '? ', ': ', '{a: ', '[{', 'a:\t', '- ? '].map((text): [string, RegExp] => [
      text.repeat(Math.floor(65_000 / text.length)),
      /nested too deep|it is not valid YAML/,
    ]),
    [`a: ${'['.repeat(32_000)}${']'.repeat(32_000)}`, /nested too deep/],
    [`a: ${'['.repeat(100)}${']'.repeat(100)}`, /nested too deep/],
    ['\ta: 1', /it is not valid YAML/],
  ])('is refused: %j', (text, message) => {
    expect(complaint(text)).toMatch(message)
  })

  test('has plain values only: dates and the words of older YAML are text', () => {
    expect(readContent('YAML', 'a: 2001-01-01\nb: yes\nc: 0o17\nd: ~\ne: 010')).toEqual({
      a: '2001-01-01',
      b: 'yes',
      c: 15,
      d: null,
      e: 10,
    })
    const prototype = readContent('YAML', '__proto__: {polluted: true}')
    expect(Object.keys(prototype)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test('may refer to itself, but not to grow without end', () => {
    expect(readContent('YAML', 'a: &a [1]\nb: *a')).toEqual({ a: [1], b: [1] })
    const names = ['b', 'c', 'd', 'e', 'f', 'g']
    const bomb = names.map(name => {
      const before = String.fromCharCode(name.charCodeAt(0) - 1)
      return `${name}: &${name} [${Array(8).fill(`*${before}`).join(',')}]`
    })
    expect(complaint(`a: &a [x]\n${bomb.join('\n')}`)).toMatch(/^InvalidDocumentContent: .*alias/i)
    expect(complaint(`a: &a [x]\nb: [${Array(60).fill('*a').join(',')}]`)).toMatch(/more than 50 aliases/)
    expect(complaint(`a: &a ${'x'.repeat(10_000)}\nb: [${Array(40).fill('*a').join(',')}]`)).toMatch(
      /^MaxDocumentSizeExceeded: As JSON/,
    )
  })
})
