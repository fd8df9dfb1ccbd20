// `npm start`: builds, starts a server and an agent on this machine, and says how to open a shell through them.
// Everything is kept in .sallyport-dev, so that a second start has the same node, keys and certificate; remove the
// folder to begin anew. Port 8443, or one of the kernel's choice where that is taken; the next start asks for the same.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const program = path.join(root, 'dist/sallyport.js')
const folder = path.join(root, '.sallyport-dev')
const files = {
  env: path.join(folder, 'env'),
  pids: path.join(folder, 'pids.json'),
  server: path.join(folder, 'server'),
  agent: path.join(folder, 'agent'),
  registration: path.join(folder, 'agent/registration.json'),
  serverLog: path.join(folder, 'server.log'),
  agentLog: path.join(folder, 'agent.log'),
}
const PORT = 8443
const REGION = 'us-east-1'
const READY_MS = 30_000
const ONLINE_MS = 30_000
const POLL_MS = 100
const STOP_MS = 8_000
/** For the end of a session to travel from the agent through the server to its client. */
const NEWS_MS = 300
const TAIL_LINES = 15
const AWS_CLI = 'https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html'

/** What goes wrong in a way that a stack trace would not explain any better. */
class StartError extends Error {}

/** In the order of their start. */
const children = []
let stopping = false
let ended
const someoneEnded = new Promise(resolve => {
  ended = resolve
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => ended({ signal }))
// The last resort: after an exit that nothing else has seen, nobody else would end them.
process.on('exit', () => {
  for (const { child } of children) if (isRunning(child)) child.kill('SIGKILL')
})

// What is still waited for at this point is of no interest any more.
process.exit(await main())

async function main() {
  try {
    const finish = await Promise.race([start().then(() => someoneEnded), someoneEnded])
    if (finish.signal === undefined) throw new StartError(obituary(finish))
    console.log('\nStopping.')
    return 0
  } catch (error) {
    console.error(error instanceof StartError ? `\n${error.message}` : error)
    return 1
  } finally {
    await stop()
  }
}

async function start() {
  refuseSecond()
  if (!existsSync(path.join(root, 'node_modules/esbuild'))) throw new StartError('Run `npm ci` first.')
  run([path.join(root, 'scripts/build.mjs')], { quiet: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  // The administrator's secret was shown once: without our copy of it the rest is of no use.
  if (!existsSync(files.env) || !existsSync(files.registration)) removeData()
  const server = await startServer(await choosePort())
  const node = await startAgent(server)
  await isOnline(server, node)
  console.log(instructions(server, node))
}

/** A build would take the running one's program away, and both would write the same files. */
function refuseSecond() {
  const pids = readJson(files.pids)
  if (pids === undefined) return
  if (isOurs(pids.starter, 'start.mjs')) {
    const { endpoint, instanceId } = readJson(files.registration) ?? {}
    const known =
      endpoint && existsSync(files.env) ? `\n${instructions({ endpoint }, { id: instanceId })}` : ''
    throw new StartError(`Sallyport runs already, as process ${pids.starter}.${known}`)
  }
  // Left behind by a starter that was killed.
  for (const pid of [pids.agent, pids.server]) if (isOurs(pid, folder)) process.kill(pid, 'SIGKILL')
}

function removeData() {
  for (const file of [files.env, files.server, files.agent]) rmSync(file, { recursive: true, force: true })
}

async function choosePort() {
  const { endpoint } = readJson(files.registration) ?? {}
  const former = endpoint === undefined ? [] : [Number(new URL(endpoint).port)]
  for (const port of [...former, PORT]) if (await isFree(port)) return port
  return 0
}

async function isFree(port) {
  const probe = createServer().listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
    return true
  } catch {
    return false
  } finally {
    probe.close()
  }
}

async function startServer(port) {
  const args = ['server', '--data-dir', files.server, '--listen', `127.0.0.1:${port}`, '--http-listen', 'off']
  const child = startChild('server', files.serverLog, [...args, '--region', REGION])
  const banner = await readBanner(child)
  const find = pattern => pattern.exec(banner)?.[1]
  const endpoint = find(/HTTPS +(https:\/\/\S+)/)
  const key = find(/AWS_ACCESS_KEY_ID=(\S+)/)
  if (key !== undefined) {
    writePrivate(files.env, environmentFile(endpoint, key, find(/AWS_SECRET_ACCESS_KEY=(\S+)/)))
  } else {
    const text = readFileSync(files.env, 'utf8')
    writePrivate(files.env, text.replace(/(SALLYPORT_ENDPOINT_URL=).*/, `$1'${endpoint}'`))
  }
  return { endpoint, env: readEnvironment() }
}

/** The secret passes through here alone: it is not for the log. */
async function readBanner(child) {
  let banner = ''
  const lines = createInterface(child.stdout)
  const ready = new Promise(resolve => {
    lines.on('line', line => {
      banner += `${line}\n`
      if (line === 'Ready.') resolve()
    })
  })
  await within(READY_MS, ready, `The server was not ready after ${READY_MS / 1000} s. See ${files.serverLog}`)
  return banner
}

async function startAgent({ endpoint, env }) {
  const registration = readJson(files.registration)
  if (registration === undefined) {
    const create = ['activations', 'create', '--name', 'my-node', '--expires-in', '30m', '--json']
    const activation = JSON.parse(run([program, ...create], { env }))
    const secrets = [
      '--activation-id',
      activation.ActivationId,
      '--activation-code',
      activation.ActivationCode,
    ]
    const where = ['--endpoint', endpoint, '--region', REGION, '--ca-hash', activation.CaHash]
    run([program, 'agent', 'register', '--state-dir', files.agent, ...where, ...secrets])
  } else if (registration.endpoint !== endpoint) {
    // The port of the last time was taken.
    writePrivate(files.registration, JSON.stringify({ ...registration, endpoint }))
  }
  startChild('agent', files.agentLog, ['agent', 'run', '--state-dir', files.agent])
  return { id: readJson(files.registration).instanceId }
}

/** Asked of the server: only what it knows makes `start-session` work. */
async function isOnline({ env }, node) {
  const deadline = Date.now() + ONLINE_MS
  while (Date.now() < deadline) {
    const nodes = JSON.parse(run([program, 'nodes', '--json'], { env }))
    if (nodes.some(({ InstanceId, PingStatus }) => InstanceId === node.id && PingStatus === 'Online')) return
    await sleep(POLL_MS)
    if (stopping) throw new StartError('Stopped.')
  }
  throw new StartError(`The node was not online after ${ONLINE_MS / 1000} s. See ${files.agentLog}`)
}

function environmentFile(endpoint, accessKeyId, secretAccessKey) {
  const lines = Object.entries({
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_CA_BUNDLE: path.join(files.server, 'tls/ca.pem'),
    AWS_ENDPOINT_URL: endpoint,
    SALLYPORT_ENDPOINT_URL: endpoint,
  }).map(([name, value]) => `export ${name}=${quoted(value)}`)
  return [
    '# Written by `npm start`: what the aws and sallyport commands need to reach the server of this folder.',
    'unset AWS_SESSION_TOKEN AWS_PROFILE AWS_ENDPOINT_URL_SSM',
    ...lines,
    `export PATH=${quoted(path.join(root, 'dist/bin'))}:"$PATH"`,
    '',
  ].join('\n')
}

function readEnvironment() {
  const pairs = readFileSync(files.env, 'utf8').matchAll(/^export (\w+)='(.*)'$/gm)
  return Object.fromEntries([...pairs].map(([, name, value]) => [name, value.replaceAll(`'\\''`, `'`)]))
}

function instructions({ endpoint }, { id }) {
  const aws = `aws ssm start-session --target ${id} --endpoint-url ${endpoint}`
  const own = `sallyport connect ${id}`
  const [first, second] = hasProgram('aws')
    ? [`  ${aws}`, `\nor, without the AWS CLI:\n\n  ${own}`]
    : [
        `  ${own}`,
        `\nor with the AWS CLI, which is not installed (apt-get install awscli, or ${AWS_CLI}):\n\n  ${aws}`,
      ]
  const rights = hasProgram('sudo') ? 'with sudo' : 'who cannot become root, since sudo is not installed'
  const user =
    process.getuid?.() === 0
      ? `\nThe agent runs as root, so shells run as ssm-user: the first one creates that user, ${rights}.`
      : ''
  return `
Sallyport runs at ${endpoint}, and the node ${id} (this machine) is online.
Open a shell on it from another terminal:

  source ${shellWord(files.env)}
${first}
${second}

Also: sallyport nodes, sallyport sessions.${user}

Logs: ${files.serverLog}
      ${files.agentLog}
Ctrl-C ends everything. Data stays in ${folder}; remove it to begin anew.`
}

function hasProgram(name) {
  return (process.env.PATH ?? '').split(path.delimiter).some(directory => {
    try {
      accessSync(path.join(directory, name), constants.X_OK)
      return directory !== ''
    } catch {
      return false
    }
  })
}

/** In a process group of its own: Ctrl-C is for this process, which ends the others in their order. */
function startChild(name, logFile, args) {
  if (stopping) throw new StartError('Stopped.')
  const log = openSync(logFile, 'w', 0o600)
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    detached: true,
    env: cleanEnvironment(),
    stdio: ['ignore', name === 'server' ? 'pipe' : log, log],
  })
  closeSync(log)
  children.push({ name, child, logFile })
  child.on('error', error => ended({ name, logFile, how: `could not be started: ${error.message}` }))
  child.on('exit', (code, signal) => {
    ended({ name, logFile, how: signal === null ? `ended with exit code ${code}` : `was ended by ${signal}` })
  })
  const pids = Object.fromEntries(children.map(({ name, child: { pid } }) => [name, pid]))
  writePrivate(files.pids, JSON.stringify({ starter: process.pid, ...pids }))
  return child
}

async function stop() {
  stopping = true
  // The agent first: it ends its sessions, and the server tells their clients.
  for (const { name, child } of [...children].reverse()) {
    const exited = once(child, 'exit')
    if (isRunning(child) && child.kill('SIGTERM')) await Promise.race([exited, sleep(STOP_MS)])
    if (isRunning(child)) child.kill('SIGKILL')
    if (name === 'agent') await sleep(NEWS_MS)
  }
  if (children.length > 0) rmSync(files.pids, { force: true })
}

function obituary({ name, logFile, how }) {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES)
  return [`The ${name} ${how}. The end of ${logFile}:`, ...lines.map(line => `  ${line}`)].join('\n')
}

/** Runs a short command to its end, and answers what it printed. */
function run(args, { env = {}, quiet = false } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...cleanEnvironment(), ...env },
    encoding: 'utf8',
  })
  if (status === 0) return stdout
  const words = args.map(arg => path.relative(root, arg) || arg)
  throw new StartError(`${quiet ? 'The build' : words.slice(0, 4).join(' ')} failed:\n${stdout}${stderr}`)
}

/** Settings of the person's other servers and accounts are not for this one. */
function cleanEnvironment() {
  const foreign = /^(AWS_|SALLYPORT_(?!NODE$)|SSL_CERT_FILE$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
}

async function within(milliseconds, work, message) {
  const timeout = new AbortController()
  const late = sleep(milliseconds, undefined, { signal: timeout.signal }).then(() => {
    throw new StartError(message)
  })
  late.catch(() => {})
  await Promise.race([work, late])
  timeout.abort()
}

function isRunning(child) {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}

/** Whether the process is there and was started with such a word; its number may be another's by now. */
function isOurs(pid, word) {
  if (!Number.isInteger(pid)) return false
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word)
  } catch {
    const { stdout } = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
    return (stdout ?? '').includes(word)
  }
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function writePrivate(file, text) {
  writeFileSync(file, text, { mode: 0o600 })
}

function quoted(text) {
  return `'${text.replaceAll(`'`, `'\\''`)}'`
}

function shellWord(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoted(text)
}
