import { randomInt } from 'node:crypto'
import { run } from './terminal.ts'

/** Of 198.18.0.0/15, which is for tests (RFC 2544); a /30 for each namespace. */
const NETWORKS = 2 ** 15

/**
 * A machine of its own as far as the network can tell: a network namespace, joined to this machine by one cable
 * (a veth pair). Needs root.
 */
export class NetworkNamespace implements AsyncDisposable {
  readonly name: string
  /** Of this machine, as the namespace sees it. */
  readonly outside: string
  /** Of the namespace. */
  readonly inside: string

  static async create(): Promise<NetworkNamespace> {
    const namespace = new NetworkNamespace(randomInt(NETWORKS))
    try {
      await namespace.#connect()
      return namespace
    } catch (error) {
      await namespace[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(network: number) {
    this.name = `sallyport-${network}`
    const base = network * 4
    const address = (offset: number) =>
      `198.${18 + (base >> 16)}.${(base >> 8) & 0xff}.${(base & 0xff) + offset}`
    this.outside = address(1)
    this.inside = address(2)
  }

  /** Before a program and its arguments: runs it in the namespace, as the same process. */
  get through(): string[] {
    return ['ip', 'netns', 'exec', this.name]
  }

  /** A firewall in the namespace that drops what comes from outside, unless it answers something from inside. */
  async dropInbound(): Promise<void> {
    await this.#firewall(`chain input {
      type filter hook input priority 0; policy drop;
      ct state established,related accept
      iif lo accept
    }`)
  }

  /** Nothing leaves the namespace but to this port of this machine. */
  async allowOutboundOnlyTo(port: number): Promise<void> {
    await this.#firewall(`chain output {
      type filter hook output priority 0; policy drop;
      ct state established,related accept
      oif lo accept
      ip daddr ${this.outside} tcp dport ${port} accept
    }`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its end of the cable goes with it, and so does ours.
    await run('ip', ['netns', 'delete', this.name])
    await run('ip', ['link', 'delete', this.#cable])
  }

  get #cable(): string {
    // At most 15 characters.
    return this.name.replace('sallyport', 'sp')
  }

  async #connect(): Promise<void> {
    const far = `${this.#cable}p`
    await succeed('ip', 'netns', 'add', this.name)
    await succeed('ip', 'link', 'add', this.#cable, 'type', 'veth', 'peer', 'name', far, 'netns', this.name)
    await succeed('ip', 'address', 'add', `${this.outside}/30`, 'dev', this.#cable)
    await succeed('ip', 'link', 'set', this.#cable, 'up')
    await succeed('ip', '-n', this.name, 'address', 'add', `${this.inside}/30`, 'dev', far)
    await succeed('ip', '-n', this.name, 'link', 'set', far, 'up')
    await succeed('ip', '-n', this.name, 'link', 'set', 'lo', 'up')
  }

  async #firewall(chain: string): Promise<void> {
    await succeed(...this.through, 'nft', `table inet sallyport {\n${chain}\n}`)
  }
}

/** Whether a TCP connection comes about within a second; `through` says from which namespace. */
export async function reaches(host: string, port: number, through: readonly string[] = []): Promise<boolean> {
  const connect = ['timeout', '1', 'bash', '-c', `exec 3<>/dev/tcp/${host}/${port}`]
  const [file = '', ...args] = [...through, ...connect]
  return (await run(file, args)).code === 0
}

async function succeed(...command: string[]): Promise<void> {
  const [file = '', ...args] = command
  const { code, stderr } = await run(file, args)
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
}
