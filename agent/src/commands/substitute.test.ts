import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bindParameters } from './parameters.ts'
import { substitute } from './substitute.ts'
import { byName, scene, scripts } from './testing-document.ts'

const put = (json: unknown, values: Record<string, unknown>) =>
  substitute(json, new Map(Object.entries(values)))

describe('references', () => {
  const cases: [string, unknown, Record<string, unknown>, unknown][] = [
    ['a whole text keeps the type', '{{ list }}', { list: ['a', 'b'] }, ['a', 'b']],
    ['also without blanks', '{{n}}', { n: 5 }, 5],
    ['a list stands in the place of the element', ['{{ list }}', 'z'], { list: ['a'] }, [['a'], 'z']],
    ['within a text as it is', 'say {{ a }}{{b}}!', { a: 'x y', b: '$(id)' }, 'say x y$(id)!'],
    [
      'anything else as JSON',
      'v={{ v }} {{ n }} {{ t }}',
      { v: { a: ['b'] }, n: 1, t: true },
      'v={"a":["b"]} 1 true',
    ],
    ['$$ becomes $ within a text', 'echo {{ a }}', { a: 'cost $$5 $1 $&' }, 'echo cost $5 $1 $&'],
    ['but not where the text is the reference', '{{ a }}', { a: '$$' }, '$$'],
    [
      'what is unknown stays',
      'docker ps --format {{.Names}} {{ nobody }}',
      {},
      'docker ps --format {{.Names}} {{ nobody }}',
    ],
    ['values are not read again', '{{ a }} -', { a: '{{ b }}', b: 'no' }, '{{ b }} -'],
    [
      'members, and no names of members',
      { '{{ a }}': { x: ['{{ a }}'] } },
      { a: 1 },
      { '{{ a }}': { x: [1] } },
    ],
    ['nothing inherited', '{{ constructor }} {{ toString }}', {}, '{{ constructor }} {{ toString }}'],
  ]
  test.each(cases)('%s', (_, json, values, expected) => {
    expect(put(json, values)).toEqual(expected)
  })

  test('a document cannot be blown up', () => {
    expect(() =>
      put(
        Array.from({ length: 100 }, () => '{{ a }} '),
        { a: 'x'.repeat(1_000_000) },
      ),
    ).toThrow('longer')
    let deep: unknown = 'x'
    for (let i = 0; i < 100; i++) deep = [deep]
    expect(() => put(deep, {})).toThrow('64 levels')
  })
})

test('values have the type that is declared', () => {
  const declared = Object.fromEntries(
    ['String', 'StringList', 'Boolean', 'Integer', 'MapList', 'StringMap'].map(type => [type, { type }]),
  )
  const { values } = bindParameters(declared, {
    String: ['one'],
    StringList: 'one',
    Boolean: 'True',
    Integer: ['42'],
    MapList: ['{"a":1}'],
    StringMap: ['{"b":2}'],
    'not a name': 'dropped',
  })
  expect(Object.fromEntries(values)).toEqual({
    String: 'one',
    StringList: ['one'],
    Boolean: true,
    Integer: 42,
    MapList: [{ a: 1 }],
    StringMap: { b: 2 },
  })
})

describe('interpolationType ENV_VAR', () => {
  const parameters = { v: { type: 'String', interpolationType: 'ENV_VAR' } }
  const run = async (script: string, v: string) => {
    const { steps } = await scene(scripts({ one: script }, { parameters }), { parameters: { v } }).run()
    return byName(steps, 'one')
  }

  test('the value is in the variable, whatever is in it', async () => {
    const hostile = 'a b"; touch /tmp/pwned; $(id) `id` \' \\ \n echo out $$ ${HOME} {{ v }} * é'
    expect((await run('printf %s "$SSM_v"', hostile)).standardOutput).toBe(hostile)
    expect((await run('printf %s "{{ v }}"', hostile)).standardOutput).toBe(hostile)
    expect((await run('printf %s "{{v}}"', '')).standardOutput).toBe('')
  })

  test("AWS's way of serving older agents too works", async () => {
    const script = 'if [ -z "${SSM_v+x}" ]; then\n    export SSM_v="{{v}}"\nfi\nprintf %s "$SSM_v"'
    expect((await run(script, '"; echo out; "')).standardOutput).toBe('"; echo out; "')
  })

  test('what is no code gets the value', async () => {
    const document = scripts(
      { one: { runCommand: ['pwd'], workingDirectory: '{{ v }}', environment: { X: '{{ v }}' } } },
      { parameters },
    )
    const { steps } = await scene(document, { parameters: { v: '/usr/bin' } }).run()
    expect(byName(steps, 'one').standardOutput).toBe('/usr/bin\n')
  })

  test('no value ever becomes code (property)', async () => {
    const metacharacters = fc
      .array(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.constantFrom(
            '$(',
            ')',
            '`',
            '"',
            "'",
            '\\',
            '\n',
            ';',
            '&',
            '|',
            '$$',
            '{{ v }}',
            '${',
            '}',
            '*',
            '\r',
            '#',
            '!',
          ),
        ),
        { maxLength: 12 },
      )
      .map(parts => parts.join('').replaceAll('\0', ''))
      .filter(text => Buffer.from(text).toString() === text)
    const values = fc.sample(metacharacters, 80)
    // One document with a step's worth of many values: a process for each would take minutes.
    const names = values.map((_, index) => `p${index}`)
    const declared = Object.fromEntries(
      names.map(name => [name, { type: 'String', interpolationType: 'ENV_VAR' }]),
    )
    const lines = names.flatMap((name, index) => [
      index % 2 === 0 ? `printf '%s\\000' "$SSM_${name}"` : `printf '%s\\000' "{{ ${name} }}"`,
    ])
    const { request, run: go } = scene(scripts({ one: { runCommand: lines } }, { parameters: declared }), {
      parameters: Object.fromEntries(names.map((name, index) => [name, values[index]])),
    })
    expect((await go()).status).toBe('Success')
    const said = readFileSync(`${request.directory}/one/stdout`, 'utf8').split('\0')
    expect(said.slice(0, -1)).toEqual(values)
    expect(readFileSync(`${request.directory}/one/_script.sh`, 'utf8')).toBe(
      `${lines.map(line => line.replace(/\{\{ (\w+) \}\}/, '${SSM_$1}')).join('\n')}\n`,
    )
  })
})

test('in the ordinary mode a list is the script, to the letter (property)', async () => {
  const declared = { commands: { type: 'StringList' } }
  const text = fc
    .array(fc.oneof(fc.string(), fc.constantFrom('$$', '{{ commands }}', "'", '"', '\n', '$(', '\\')))
    .map(parts => parts.join(''))
    .filter(value => Buffer.from(value).toString() === value)
  for (const commands of fc.sample(fc.array(text, { maxLength: 5 }), 20)) {
    const { run, request } = scene(
      scripts({ one: { runCommand: ['#!/bin/true', '{{ commands }}'] } }, { parameters: declared }),
      {
        parameters: { commands },
      },
    )
    await run()
    expect(readFileSync(`${request.directory}/one/_script.sh`, 'utf8')).toBe(
      `${['#!/bin/true', ...commands].join('\n')}\n`,
    )
  }
}, 30_000)
