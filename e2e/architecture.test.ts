import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { isBarredFromAgent } from './architecture/boundaries.ts'
import { describeFinding } from './architecture/finding.ts'
import { checkSources, MAXIMUM_LINES } from './architecture/rules.ts'
import type { SourceText } from './architecture/source.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const CHECKED = ['protocol', 'server', 'agent', 'cli', 'console', 'bin', 'e2e', 'bench']
const SKIPPED = /(^|\/)(node_modules|dist)(\/|$)/

function readSources(folder: string): SourceText[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => /\.tsx?$/.test(name) && !SKIPPED.test(name))
    .map(name => path.posix.join(folder, name))
    .sort()
    .map(file => ({ path: file, text: readFileSync(path.join(ROOT, file), 'utf8') }))
}

/** The rules that made-up files break, as `file:line rule`. */
function broken(files: Record<string, string>): string[] {
  const sources = Object.entries(files).map(([file, text]) => ({ path: file, text }))
  return checkSources(sources).map(({ file, line, rule }) => `${file}:${line} ${rule}`)
}

describe('this repository', () => {
  test('keeps the boundaries and house rules', () => {
    const sources = CHECKED.flatMap(readSources)
    expect(sources.length).toBeGreaterThan(CHECKED.length)
    expect(checkSources(sources).map(describeFinding)).toEqual([])
  }, 30_000)

  test('gives the agent no database driver and no web framework', () => {
    const manifest = JSON.parse(readFileSync(path.join(ROOT, 'agent/package.json'), 'utf8'))
    const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })
    expect(names).toContain('@sallyport/protocol')
    expect(names.filter(isBarredFromAgent)).toEqual([])
    expect(['kysely', 'pg', '@photostructure/sqlite', 'fastify'].every(isBarredFromAgent)).toBe(true)
  })
})

describe('between workspaces', () => {
  test.each([
    ['a value', "\nimport { x } from '@sallyport/server/store/schema'"],
    ['a type', "\nimport type { X } from '@sallyport/server/store/schema'"],
    ['a re-export', "\nexport { x } from '@sallyport/server/store/schema'"],
    ['a star re-export', "\nexport * from '@sallyport/server/store/schema'"],
    ['a dynamic import', "\nconst load = () => import('@sallyport/server/store/schema')"],
    ['an import type', "\ntype X = import('@sallyport/server/store/schema').X"],
    ['the bare package', "\nimport '@sallyport/server'"],
    ['a relative path', "\nimport { x } from '../../server/src/store.ts'"],
  ])('%s that crosses is caught, with its line', (_, text) => {
    expect(broken({ 'agent/src/a.ts': text })).toEqual(['agent/src/a.ts:2 workspaces'])
    expect(broken({ 'agent/src/a.test.ts': text })).toEqual(['agent/src/a.test.ts:2 workspaces'])
  })

  test.each(['server', 'agent', 'cli', 'console'])('%s may import protocol and itself', workspace => {
    const text = `import '@sallyport/protocol/aws/sigv4'\nimport './b.ts'\nimport '@sallyport/${workspace}/c/d'`
    expect(broken({ [`${workspace}/src/a.ts`]: text })).toEqual([])
    expect(broken({ 'protocol/src/a.ts': text })).toEqual(['protocol/src/a.ts:3 workspaces'])
  })

  test('protocol is imported by its name, not by a path', () => {
    const text = "import '../../protocol/src/bytes.ts'"
    expect(broken({ 'cli/src/a.ts': text })).toEqual(['cli/src/a.ts:1 workspaces'])
  })

  test('bin, e2e and bench may import several, and nobody imports them', () => {
    const text = "import '@sallyport/server/main'\nconst agent = () => import('@sallyport/agent/main')"
    expect(broken({ 'bin/a.ts': text, 'e2e/a.ts': text, 'bench/a.ts': text })).toEqual([])
    expect(broken({ 'cli/src/a.ts': "import '../../e2e/stack.ts'" })).toEqual(['cli/src/a.ts:1 workspaces'])
  })

  test('words in strings and comments are no imports', () => {
    const text = "// import '@sallyport/server/x'\nconst x = \"import '@sallyport/server/x'\""
    expect(broken({ 'agent/src/a.ts': text })).toEqual([])
  })

  test.each(['node:crypto', 'fs', 'ws'])('protocol imports %s in src/transport and in tests only', name => {
    const text = `import '${name}'`
    expect(broken({ 'protocol/src/aws/a.ts': text })).toEqual(['protocol/src/aws/a.ts:1 protocol-is-pure'])
    expect(broken({ 'protocol/src/transport/a.ts': text, 'protocol/src/aws/a.test.ts': text })).toEqual([])
  })

  test('the agent imports no database driver', () => {
    const text = "import { Kysely } from 'kysely'\nimport pty from '@lydell/node-pty'"
    expect(broken({ 'agent/src/a.ts': text })).toEqual(['agent/src/a.ts:1 light-agent'])
    expect(broken({ 'server/src/store/a.ts': text })).toEqual([])
  })
})

describe('inside the server', () => {
  test.each([
    ['api/a.ts', '../gateway/relay.ts'],
    ['api/operations/ssm/a.ts', '@sallyport/server/gateway/relay'],
    ['gateway/a.ts', '../api/dispatch.ts'],
    ['iam/a.ts', '../audit/trail.ts'],
    ['store/a.ts', '../iam/policy.ts'],
    ['bus/memory/a.ts', '../../config.ts'],
    ['recording/a.ts', '../gateway/relay.ts'],
    ['commands/a.ts', '../api/dispatch.ts'],
    ['commands/a.ts', '../server.ts'],
    ['session-authority/a.ts', '../bus/bus.ts'],
    ['session-authority/a.ts', '../gateway/options.ts'],
    ['iam/a.ts', '../session-authority/plan.ts'],
  ])('%s may not import %s', (file, specifier) => {
    expect(broken({ [`server/src/${file}`]: `import '${specifier}'` })).toEqual([
      `server/src/${file}:1 server-layers`,
    ])
  })

  test.each([
    ['api/a.ts', '../store/nodes.ts'],
    ['api/a.ts', '../session-authority/plan.ts'],
    ['gateway/a.ts', '../session-authority/record.ts'],
    ['session-authority/a.ts', '../iam/access.ts'],
    ['session-authority/a.ts', '../documents/resolve.ts'],
    ['api/operations/ssm/a.ts', '../../dispatch.ts'],
    ['gateway/a.ts', '../bus/bus.ts'],
    ['audit/a.ts', '../store/trail.ts'],
    ['audit/a.ts', './digest.ts'],
    ['commands/a.ts', '../documents/parameters.ts'],
    ['context.ts', './api/dispatch.ts'],
    ['server.ts', './gateway/accept.ts'],
    ['main.ts', './server.ts'],
    ['api/a.test.ts', '../gateway/relay.ts'],
  ])('%s may import %s', (file, specifier) => {
    expect(broken({ [`server/src/${file}`]: `import '${specifier}'` })).toEqual([])
  })

  test('only bin and tests import a main', () => {
    expect(broken({ 'server/src/server.ts': "import './main.ts'" })).toEqual([
      'server/src/server.ts:1 entries',
    ])
    expect(broken({ 'agent/src/ssh/a.ts': "import '../main.ts'" })).toEqual(['agent/src/ssh/a.ts:1 entries'])
    expect(broken({ 'cli/src/main.test.ts': "import './main.ts'" })).toEqual([])
  })
})

describe('every file', () => {
  test('a circle of files is caught once, whoever closes it', () => {
    const circle = {
      'cli/src/a.ts': "import './b.ts'",
      'cli/src/b.ts': "import type { C } from '@sallyport/cli/c'",
      'cli/src/c.ts': "\nexport { a } from './a.ts'",
    }
    expect(broken(circle)).toEqual(['cli/src/c.ts:2 no-cycle'])
    expect(broken({ 'cli/src/a.ts': "import './a.ts'" })).toEqual(['cli/src/a.ts:1 no-cycle'])
    const diamond = { 'cli/src/a.ts': "import './b.ts'\nimport './c.ts'", 'cli/src/b.ts': "import './c.ts'" }
    expect(broken({ ...diamond, 'cli/src/c.ts': '' })).toEqual([])
  })

  test('climbs two levels at most', () => {
    const file = 'server/src/api/operations/ssm/a.ts'
    expect(broken({ [file]: "import '../../../store/nodes.ts'" })).toEqual([`${file}:1 no-climbing`])
    expect(broken({ [file]: "import '../../dispatch.ts'" })).toEqual([])
  })

  test.each(['./b', './b.js', '../b', '.'])('says the extension of its imports: %s', specifier => {
    expect(broken({ 'cli/src/x/a.ts': `import '${specifier}'` })).toEqual([
      'cli/src/x/a.ts:1 explicit-extension',
    ])
    expect(broken({ 'cli/src/x/a.ts': "import './b.ts'\nimport './c.json'" })).toEqual([])
  })

  test.each(['export default 1', 'export default function f() {}', 'const x = 1; export { x as default }'])(
    'exports by name: %s',
    text => {
      expect(broken({ 'cli/src/a.ts': `\n${text}` })).toEqual(['cli/src/a.ts:2 named-exports'])
      expect(broken({ 'cli/src/a.ts': 'export const x = { default: 1 }' })).toEqual([])
    },
  )

  test('has no enum and takes no chances', () => {
    const text = 'enum A { B }\nconst x = Math.random()\n'
    expect(broken({ 'agent/src/a.ts': text })).toEqual([
      'agent/src/a.ts:1 no-enum',
      'agent/src/a.ts:2 no-math-random',
    ])
    expect(broken({ 'agent/src/a.test.ts': 'const x = Math.random()' })).toEqual([])
    expect(broken({ 'agent/src/a.ts': '// Math.random() and enum would be wrong here' })).toEqual([])
  })

  test.each(['utils.ts', 'helpers.test.ts', 'common/x.ts', 'helper.ts'])('is not named %s', name => {
    expect(broken({ [`cli/src/${name}`]: '' })).toEqual([`cli/src/${name}:1 no-vague-name`])
    expect(broken({ 'cli/src/common-prefix.ts': '' })).toEqual([])
  })

  test('is short or says why not', () => {
    const lines = (count: number) => '// x\n'.repeat(count)
    expect(broken({ 'cli/src/a.ts': lines(MAXIMUM_LINES) })).toEqual([])
    expect(broken({ 'cli/src/a.ts': lines(MAXIMUM_LINES + 1) })).toEqual(['cli/src/a.ts:401 file-length'])
    expect(broken({ 'cli/src/a.ts': `// Long because of its table\n${lines(400)}` })).toEqual([])
    expect(broken({ 'cli/src/a.ts': `/**\n * Long because of its table\n */\n${lines(400)}` })).toEqual([])
  })

  test('is named in the finding, with line and rule', () => {
    const [finding] = checkSources([{ path: 'cli/src/a.ts', text: "\nimport '@sallyport/agent/pty'" }])
    expect(finding && describeFinding(finding)).toBe(
      'cli/src/a.ts:2: workspaces: cli may import @sallyport/protocol only, not agent/src/pty.ts',
    )
  })
})
