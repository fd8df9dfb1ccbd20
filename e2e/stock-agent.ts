import { chmod, copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Service, type Stack } from './stack.ts'
import { run } from './terminal.ts'

/** The four programs of an installation; the first starts the others, from its own folder. */
const PROGRAMS = ['amazon-ssm-agent', 'ssm-agent-worker', 'ssm-document-worker', 'ssm-session-worker']
/** Written into the agent, so they are mounted over: its state, its logs, where it makes `ssm-user`. */
const PLACES = {
  '/var/lib/amazon/ssm': 'state',
  '/var/log/amazon/ssm': 'logs',
  '/etc': 'etc',
  '/home': 'home',
}
const MOUNT_PLACES = Object.entries(PLACES)
  .map(([place, name]) => `mkdir -p ${place} && mount --bind "$0"/${name} ${place}`)
  .join(' && ')
/** The agent finds its configuration by its folder, which `env -i` and a foreign working directory would hide. */
const ENTER = `${MOUNT_PLACES} && cd "$0"/agent && exec "$@"`
const NAMESPACES = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child', '--propagation', 'private']

export type StockAgentOptions = {
  /** Where the agent finds the server, if that is not the stack's endpoint. */
  endpoint?: string
  /** As old agents are: it has no control channel and polls ec2messages for all its life. */
  polls?: boolean
}

/**
 * An unmodified amazon-ssm-agent, as a person installs it, but in a mount and a process namespace of its own, where
 * /etc, /home and its own two directories are copies. Needs root.
 */
export class StockAgent implements AsyncDisposable {
  readonly nodeId: string
  readonly directory: string
  readonly #stack: Stack
  readonly #polls: boolean
  #process: Service | undefined

  /** Registers with a new activation, starts, and waits until the node is online. */
  static async start(stack: Stack, programs: string, name: string, options: StockAgentOptions = {}) {
    const directory = join(stack.directory, name)
    await install(programs, directory, options.endpoint ?? stack.endpoint, options.polls === true)
    const nodeId = await register(stack, directory, name)
    const agent = new StockAgent(stack, directory, nodeId, options.polls === true)
    await agent.start()
    return agent
  }

  private constructor(stack: Stack, directory: string, nodeId: string, polls: boolean) {
    this.#polls = polls
    this.#stack = stack
    this.directory = directory
    this.nodeId = nodeId
  }

  async start(): Promise<void> {
    const sign = this.#polls ? /"operation":"UpdateInstanceInformation".*"status":200/ : this.#online()
    const online = this.#stack.server.waitForLine(sign)
    const [file, ...args] = inNamespaces(this.#stack, this.directory, [])
    this.#process = new Service(file, args, {})
    await online
  }

  #online(): RegExp {
    return new RegExp(`"nodeId":"${this.nodeId}".*"node online"`)
  }

  /** What the agent wrote about itself. */
  async log(): Promise<string> {
    const read = (name: string) => readFile(join(this.directory, 'logs', name), 'utf8').catch(() => '')
    return (await read('amazon-ssm-agent.log')) + (await read('errors.log'))
  }

  /** With it go all processes of its namespace: workers, sessions, what runs in them. */
  async kill(): Promise<void> {
    await this.#process?.kill('SIGKILL')
    this.#process = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

async function install(programs: string, directory: string, endpoint: string, polls: boolean): Promise<void> {
  const folder = join(directory, 'agent')
  await mkdir(join(folder, 'configuration'), { recursive: true, mode: 0o755 })
  for (const name of ['state', 'logs', 'home', 'root']) await mkdir(join(directory, name), { mode: 0o755 })
  await cp('/etc', join(directory, 'etc'), { recursive: true, verbatimSymlinks: true })
  for (const program of PROGRAMS) {
    await copyFile(join(programs, program), join(folder, program))
    await chmod(join(folder, program), 0o755)
  }
  const configuration = {
    Mds: { Endpoint: endpoint },
    Ssm: { Endpoint: endpoint },
    // Nobody listens on the discard port.
    Mgs: { Region: 'us-east-1', Endpoint: polls ? 'https://127.0.0.1:9' : endpoint },
    Agent: { Region: 'us-east-1' },
    Identity: { ConsumptionOrder: ['OnPrem'] },
  }
  await writeFile(join(folder, 'configuration/amazon-ssm-agent.json'), JSON.stringify(configuration))
}

/** Answers the id of the node. */
async function register(stack: Stack, directory: string, name: string): Promise<string> {
  const role = ['--iam-role', 'SSMServiceRole', '--default-instance-name', name]
  const { ActivationId, ActivationCode } = await stack.api('create-activation', ...role)
  const secrets = ['-code', ActivationCode, '-id', ActivationId]
  const call = ['-register', '-y', ...secrets, '-region', 'us-east-1']
  const [file, ...args] = inNamespaces(stack, directory, call)
  const { code, stdout, stderr } = await run(file, args)
  const id = /"ManagedInstanceID":"(mi-[0-9a-f]{17})"/.exec(
    await readFile(join(directory, 'state/registration'), 'utf8').catch(() => ''),
  )?.[1]
  if (code !== 0 || id === undefined) throw new Error(`amazon-ssm-agent -register: ${stdout}${stderr}`)
  return id
}

function inNamespaces(stack: Stack, directory: string, args: string[]): [string, ...string[]] {
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: join(directory, 'root'),
    LANG: 'C.UTF-8',
    AWS_EC2_METADATA_DISABLED: 'true',
    SSL_CERT_FILE: stack.caFile,
  }
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const program = join(directory, 'agent/amazon-ssm-agent')
  return ['unshare', ...NAMESPACES, 'sh', '-c', ENTER, directory, 'env', '-i', ...variables, program, ...args]
}
