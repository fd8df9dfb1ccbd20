import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatFinding } from '@sallyport/protocol/checklist'
import { Agent } from './agent.ts'
import { type AgentConfig, readAgentConfig } from './config.ts'
import { examineNode } from './doctor.ts'
import { createLog } from './log.ts'
import { hideInheritedFromChildren } from './pty/inherited-fds.ts'
import { register } from './registration.ts'
import { loadRegistration } from './state.ts'
import { installUnit, uninstallUnit } from './systemd.ts'
import { runningRelease, startAnew } from './update/hand-over.ts'
import { keepRelease } from './update/releases.ts'

const USAGE = `usage: sallyport agent <command> [--state-dir DIR]

  register   make this machine a managed node
               --endpoint URL           where the server is, for example https://sallyport.example.org:8443
               --activation-id ID       from CreateActivation
               --activation-code CODE   from CreateActivation
               --region REGION          the server's region (default us-east-1)
               --ca-hash sha256:HEX     hash of the server's CA, which is then fetched and pinned
               --ca-file FILE           or the CA itself
               --as-instance            an EC2 instance (i-…) as far as the API goes: its role is that of an
                                        instance profile, which is associated with it afterwards
               --force                  even if this machine is registered already
  run        stay connected and serve sessions
  status     whether this machine is registered, and whether the agent runs
  doctor     looks for whatever keeps this machine from being online
  install    as root: make the agent a systemd service (sallyport-agent)
  uninstall  as root: remove the service and everything that it left
`
const OK = 0
const FAILURE = 1
const USAGE_ERROR = 2
/** A version of which nobody knows yet whether it works has so long to come online before it starts again. */
const TRIAL_MS = 180_000
const STATUS_FILE = 'status.json'

/** `refused` is why the server does not let the node be online. */
type Status = { pid: number; online: boolean; since: string; refused?: string | undefined }

/** `sallyport agent …`; answers the exit status. */
export async function runAgent(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv.includes('--help') || argv.includes('-h') ? ['help'] : argv
  try {
    switch (command) {
      case 'register':
        return await registerCommand(rest)
      case 'run':
        return await runCommand(rest)
      case 'status':
        return await statusCommand(rest)
      case 'doctor':
        return await doctorCommand(rest)
      case 'install':
        return await installCommand(rest)
      case 'uninstall':
        return await uninstallCommand(rest)
      case undefined:
      case 'help':
      case '--help':
      case '-h':
        process.stdout.write(USAGE)
        return command === undefined ? USAGE_ERROR : OK
      default:
        process.stderr.write(`sallyport agent: there is no command '${command}'\n\n${USAGE}`)
        return USAGE_ERROR
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const usage = code?.startsWith('ERR_PARSE_ARGS') === true
    process.stderr.write(`sallyport agent: ${message}\n`)
    return usage ? USAGE_ERROR : FAILURE
  }
}

const STATE_DIR = { 'state-dir': { type: 'string' } } as const

async function registerCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...STATE_DIR,
      endpoint: { type: 'string' },
      'activation-id': { type: 'string' },
      'activation-code': { type: 'string' },
      region: { type: 'string', default: 'us-east-1' },
      'ca-hash': { type: 'string' },
      'ca-file': { type: 'string' },
      'as-instance': { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
    },
  })
  const config = configOf(values)
  const endpoint = needed(values.endpoint, '--endpoint')
  if (!URL.canParse(endpoint)) throw new Error(`--endpoint is not a URL: ${endpoint}`)
  const existing = await loadRegistration(config.stateDirectory)
  if (existing !== undefined && !values.force) {
    throw new Error(
      `this machine is already registered as ${existing.instanceId}. Add --force to register it anew.`,
    )
  }
  const registration = await register(config, {
    endpoint,
    region: values.region,
    activationId: needed(values['activation-id'], '--activation-id'),
    activationCode: needed(values['activation-code'], '--activation-code'),
    caHash: values['ca-hash'],
    caFile: values['ca-file'],
    asInstance: values['as-instance'],
  })
  process.stdout.write(
    `Registered as ${registration.instanceId}. Start the agent with \`sallyport agent run\` or \`sallyport agent install\`.\n`,
  )
  if (values['as-instance']) {
    process.stdout.write(
      `It comes online once it has a role: \`aws ec2 associate-iam-instance-profile --instance-id ${registration.instanceId} --iam-instance-profile Name=…\`.\n`,
    )
  }
  return OK
}

async function runCommand(args: string[]): Promise<number> {
  hideInheritedFromChildren()
  const config = configOf(parseArgs({ args, options: STATE_DIR }).values)
  const registration = await loadRegistration(config.stateDirectory)
  if (registration === undefined) {
    throw new Error(
      `this machine is not registered (nothing in ${config.stateDirectory}). Run \`sallyport agent register\` first.`,
    )
  }
  const running = await runningStatus(config)
  if (running !== undefined)
    throw new Error(`the agent of ${config.stateDirectory} runs already, as process ${running.pid}.`)
  const log = createLog()
  const statusFile = join(config.stateDirectory, STATUS_FILE)
  const report = (online: boolean, refused?: string) => {
    const status: Status = { pid: process.pid, online, since: new Date().toISOString(), refused }
    writeFile(statusFile, JSON.stringify(status), { mode: 0o600 }).catch((error: unknown) => {
      log('cannot write the status file', { error: (error as Error).message })
    })
  }
  const release = runningRelease()
  const proven = (online: boolean, refused?: string) => {
    report(online, refused)
    if (!online || release === undefined) return
    clearTimeout(trial)
    keepRelease(config.stateDirectory, release.id).catch((error: Error) => {
      log('cannot keep the version that the agent was updated to', { error: error.message })
    })
  }
  const agent = new Agent({ config, registration, log, onOnline: proven })
  const trial = setTimeout(() => release?.onTrial && agent.restart(), TRIAL_MS)
  report(false)
  agent.start()
  const signal = await Promise.race([agent.wantsRestart, ended()])
  clearTimeout(trial)
  log('stopping', { reason: signal ?? 'the agent was updated', sessions: agent.sessionCount })
  await agent.stop()
  await rm(statusFile, { force: true })
  if (signal === undefined && !startedBySystemd()) await startAnew(config.stateDirectory)
  return OK
}

function ended(): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(name, resolve)
  })
}

/** It starts the agent again whenever it ends (systemd.exec(5), SYSTEMD_EXEC_PID). */
function startedBySystemd(): boolean {
  return process.env.SYSTEMD_EXEC_PID === String(process.pid)
}

async function statusCommand(args: string[]): Promise<number> {
  const config = configOf(parseArgs({ args, options: STATE_DIR }).values)
  const registration = await loadRegistration(config.stateDirectory)
  if (registration === undefined) {
    process.stdout.write(`not registered (nothing in ${config.stateDirectory})\n`)
    return FAILURE
  }
  const status = await runningStatus(config)
  const state =
    status === undefined
      ? 'not running'
      : `${status.online ? 'online' : 'running, not connected'} since ${status.since} (process ${status.pid})`
  process.stdout.write(
    `node      ${registration.instanceId}\nendpoint  ${registration.endpoint}\nregion    ${registration.region}\nagent     ${state}\n`,
  )
  if (status?.refused !== undefined) process.stdout.write(`refused   ${status.refused}\n`)
  return status?.online === true ? OK : FAILURE
}

async function doctorCommand(args: string[]): Promise<number> {
  const config = configOf(parseArgs({ args, options: STATE_DIR }).values)
  let healthy = true
  for await (const finding of examineNode(config, () => runningStatus(config))) {
    healthy &&= finding.ok
    process.stdout.write(formatFinding(finding))
  }
  return healthy ? OK : FAILURE
}

async function installCommand(args: string[]): Promise<number> {
  const config = configOf(parseArgs({ args, options: STATE_DIR }).values)
  needRoot('install')
  if ((await loadRegistration(config.stateDirectory)) === undefined) {
    throw new Error(
      `this machine is not registered (nothing in ${config.stateDirectory}). Run \`sallyport agent register\` first.`,
    )
  }
  const { path, started, commands } = await installUnit({
    // The program that runs now, with the node that runs it: what works here works as a service.
    execPath: process.execPath,
    args: [...programArguments(), 'agent', 'run', '--state-dir', config.stateDirectory],
    stateDirectory: config.stateDirectory,
  })
  process.stdout.write(`Wrote ${path}.\n`)
  if (started) process.stdout.write('The agent runs. See `systemctl status sallyport-agent`.\n')
  else
    process.stdout.write(
      `Run these where systemd runs:\n${commands.map(command => `  ${command}\n`).join('')}`,
    )
  return OK
}

async function uninstallCommand(args: string[]): Promise<number> {
  const config = configOf(parseArgs({ args, options: STATE_DIR }).values)
  needRoot('uninstall')
  const { removed, problems } = await uninstallUnit({ stateDirectory: config.stateDirectory })
  for (const path of removed) process.stdout.write(`Removed ${path}\n`)
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  return problems.length === 0 ? OK : FAILURE
}

function programArguments(): string[] {
  const program = process.argv[1]
  return program === undefined ? [] : [program]
}

function needRoot(command: string): void {
  if (process.getuid?.() !== 0)
    throw new Error(`${command} needs root. Try \`sudo sallyport agent ${command}\`.`)
}

/** What the running agent last said; undefined if there is none. */
async function runningStatus(config: AgentConfig): Promise<Status | undefined> {
  try {
    const status = JSON.parse(await readFile(join(config.stateDirectory, STATUS_FILE), 'utf8')) as Status
    if (status.pid === process.pid) return undefined
    process.kill(status.pid, 0)
    return (await isAgent(status.pid)) ? status : undefined
  } catch {
    // No file, or a file of a process that is gone.
    return undefined
  }
}

/** After a crash or a reboot the number may be another process's, or a zombie's, whose command line is empty (proc(5)). */
async function isAgent(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8')
  return commandLine.includes('agent\0run')
}

function configOf(values: { 'state-dir'?: string | undefined }): AgentConfig {
  return readAgentConfig(process.env, { stateDir: values['state-dir'] })
}

function needed(value: string | undefined, name: string): string {
  if (value === undefined) throw new Error(`${name} is missing`)
  return value
}
