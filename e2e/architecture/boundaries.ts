import { isBuiltin } from 'node:module'
import type { Finding } from './finding.ts'
import type { Import, Source } from './source.ts'

/** Workspaces: each is installed by itself, so each may lean on `protocol` only. */
const WORKSPACES = ['protocol', 'server', 'agent', 'cli', 'console']
/** These put parts together: the entries of the commands, the tests of the whole, the measurements. */
const COMPOSERS = ['bin', 'e2e', 'bench']

/** Parts of the server that know nothing of requests and sockets. */
const FOUNDATIONS = ['iam', 'audit', 'recording', 'documents', 'store', 'bus']
/** What decides about sessions, for both of the roles below, stands on these alone. */
const AUTHORITY = 'session-authority'
const UNDER_AUTHORITY = ['iam', 'documents', 'store']
/** What becomes of commands: the roles below tell it what they hear, and it tells them what to do. */
const COMMANDS = 'commands'
const UNDER_COMMANDS = ['documents', 'store', 'bus', 'logger']
/** The parts of the server that build the others and so are built by none. */
const SERVER_COMPOSERS = ['main', 'context', 'server']
const ROLES = ['api', 'gateway']

const DATABASE_OR_FRAMEWORK =
  /^(node:sqlite|pg|postgres|kysely|knex|drizzle-orm|mysql2?|mongodb|ioredis|redis|sqlite3|better-sqlite3|@photostructure\/sqlite|express|fastify|koa|hono|@hapi\/.*)$/

/** Names a package that the agent, which runs everywhere as root, must not carry. */
export function isBarredFromAgent(packageName: string): boolean {
  return DATABASE_OR_FRAMEWORK.test(packageName)
}

/** Every import of `source` that goes where its place in the layout does not allow. */
export function checkBoundaries(source: Source): Finding[] {
  return source.imports.flatMap(imported => {
    const broken =
      imported.target === undefined ? outward(source, imported) : inward(source, imported.target, imported)
    return broken === undefined ? [] : [{ file: source.path, line: imported.line, ...broken }]
  })
}

type Broken = { rule: string; message: string }

/** Imports of packages and of Node itself. Tests may use either. */
function outward(source: Source, { specifier }: Import): Broken | undefined {
  if (source.isTest) return undefined
  if (source.root === 'protocol' && !source.path.startsWith('protocol/src/transport/')) {
    const what = isBuiltin(specifier) ? `Node's "${specifier}"` : `the package "${specifier}"`
    return {
      rule: 'protocol-is-pure',
      message: `protocol imports ${what} outside src/transport: have it handed in`,
    }
  }
  if (source.root === 'agent' && isBarredFromAgent(packageOf(specifier))) {
    return {
      rule: 'light-agent',
      message: `the agent carries no database driver and no web framework: "${specifier}"`,
    }
  }
  return undefined
}

function inward(source: Source, target: string, { specifier }: Import): Broken | undefined {
  const to = target.split('/')[0] ?? ''
  if (!WORKSPACES.includes(source.root)) return undefined
  if (COMPOSERS.includes(to)) {
    return {
      rule: 'workspaces',
      message: `${source.root} imports ${target}: only ${to}/ itself uses what is there`,
    }
  }
  if (to !== source.root && to !== 'protocol') {
    const own = source.root === 'protocol' ? 'nothing of ours' : '@sallyport/protocol only'
    return { rule: 'workspaces', message: `${source.root} may import ${own}, not ${target}` }
  }
  if (to !== source.root && specifier.startsWith('.')) {
    return {
      rule: 'workspaces',
      message: `import another workspace by its name, @sallyport/${to}/…, not ${specifier}`,
    }
  }
  // A test may put the parts together that its subject is kept apart from.
  return source.isTest ? undefined : within(source, target)
}

function within(source: Source, target: string): Broken | undefined {
  const from = partOf(source.path)
  const to = partOf(target)
  if (to === 'main' && target.startsWith(`${source.root}/src/`)) {
    return { rule: 'entries', message: `only bin/ imports ${target}` }
  }
  if (source.root !== 'server' || !target.startsWith('server/') || from === to) return undefined
  if (ROLES.includes(from) && ROLES.includes(to)) {
    return {
      rule: 'server-layers',
      message: `${from} imports ${target}: api and gateway meet through store and bus`,
    }
  }
  if (FOUNDATIONS.includes(from) && to !== 'store') {
    const message = `${from} imports ${target}: it may import protocol, itself and store only`
    return { rule: 'server-layers', message }
  }
  if (from === AUTHORITY && !UNDER_AUTHORITY.includes(to)) {
    const message = `${from} imports ${target}: it may import protocol, ${UNDER_AUTHORITY.join(', ')} only`
    return { rule: 'server-layers', message }
  }
  if (from === COMMANDS && !UNDER_COMMANDS.includes(to)) {
    const message = `${from} imports ${target}: it may import protocol, ${UNDER_COMMANDS.join(', ')} only`
    return { rule: 'server-layers', message }
  }
  if ((ROLES.includes(to) || to === 'server') && !SERVER_COMPOSERS.includes(from)) {
    return {
      rule: 'server-layers',
      message: `${from} imports ${target}: only main, context and server compose`,
    }
  }
  return undefined
}

/** `server/src/api/dispatch.ts` is part `api`, `server/src/config.ts` is part `config`. */
function partOf(path: string): string {
  return (path.split('/')[2] ?? '').replace(/\..*$/, '')
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}
