// Bundles the programs into dist/ and writes their launchers. Run from anywhere: node scripts/build.mjs
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const started = performance.now()

// Packages that load files of their own at run time: native addons, and pino's worker threads.
const external = ['@photostructure/sqlite', 'bufferutil', 'utf-8-validate', '@lydell/*', 'pino']

rmSync(dist, { recursive: true, force: true })
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: {
    sallyport: 'bin/sallyport.ts',
    'session-manager-plugin': 'bin/session-manager-plugin.ts',
    // Beside the chunk that starts it.
    'chunks/sqlite-worker': 'server/src/store/sqlite-worker.ts',
  },
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Every dynamic import stays a file of its own, which is what makes the start fast.
  splitting: true,
  minifySyntax: true,
  minifyWhitespace: true,
  external,
  // CommonJS packages inside a bundle of ES modules (ws, commander) still call require.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
})

const versions = readFileSync(join(root, 'protocol/src/versions.ts'), 'utf8')
const pluginVersion = /CLIENT_COMPATIBILITY_VERSION = '([\d.]+)'/.exec(versions)?.[1]
if (pluginVersion === undefined)
  throw new Error('protocol/src/versions.ts has no CLIENT_COMPATIBILITY_VERSION')

// PATH usually leads here through a symbolic link. POSIX sh only, and no process but readlink's.
const findFolder = `case $0 in
  */*) self=$0 ;;
  *) self=./$0 ;;
esac
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=\${self%/*}/$link ;;
  esac
done
folder=\${self%/*}`

const matches = (pattern, name) =>
  pattern.endsWith('/*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern

const startNode = entry => `node=\${SALLYPORT_NODE:-node}
if ! command -v "$node" >/dev/null 2>&1; then
  echo "\${0##*/}: '$node' was not found. Install Node.js 20.19 or newer, or set SALLYPORT_NODE to its path." >&2
  exit 127
fi
exec "$node" "$folder/../${entry}.js" "$@"`

// The aws CLI runs the plugin with --version before each session, and ECS's runs it without arguments: the shell
// answers these in 1 ms where the start of node alone takes 40.
const answerAtOnce = `if [ $# -eq 0 ]; then
  printf '\\nThe Session Manager plugin was installed successfully. Use the AWS CLI to start a session.\\n\\n'
  exit 0
fi
if [ $# -eq 1 ] && [ "$1" = --version ]; then
  echo ${pluginVersion}
  exit 0
fi`

const launchers = {
  sallyport: ['#!/bin/sh', findFolder, startNode('sallyport')],
  'session-manager-plugin': ['#!/bin/sh', answerAtOnce, findFolder, startNode('session-manager-plugin')],
}
mkdirSync(join(dist, 'bin'))
for (const [name, parts] of Object.entries(launchers)) {
  const path = join(dist, 'bin', name)
  writeFileSync(path, `${parts.join('\n')}\n`)
  chmodSync(path, 0o755)
}

// What an agent that updates itself has to have already: it gets these files from its server.
const { version, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { dependencies } = JSON.parse(readFileSync(join(root, 'agent/package.json'), 'utf8'))
const packages = Object.entries(dependencies).filter(([name]) =>
  external.some(pattern => matches(pattern, name)),
)
const builtFiles = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => join(entry.parentPath, entry.name))
  .sort()
const digest = createHash('sha256')
for (const file of builtFiles) digest.update(`${relative(dist, file)}\0`).update(readFileSync(file))
const description = {
  // Another one with every change.
  ReleaseId: digest.digest('hex'),
  Version: version,
  Node: engines.node.replace('>=', ''),
  Packages: Object.fromEntries(packages),
}
writeFileSync(join(dist, 'release.json'), `${JSON.stringify(description, undefined, 2)}\n`)

const outputs = Object.entries(metafile.outputs)
const kilobytes = bytes => `${(bytes / 1024).toFixed(0).padStart(6)} KB`
const chunks = outputs.filter(([path]) => path.startsWith('dist/chunks/'))
for (const [path, { bytes }] of outputs)
  if (!path.startsWith('dist/chunks/')) console.log(`${kilobytes(bytes)}  ${path}`)
console.log(
  `${kilobytes(chunks.reduce((sum, [, { bytes }]) => sum + bytes, 0))}  dist/chunks (${chunks.length} files)`,
)
for (const name of Object.keys(launchers)) console.log(`${' '.repeat(9)}  dist/bin/${name}`)
console.log(`built in ${(performance.now() - started).toFixed(0)} ms`)
