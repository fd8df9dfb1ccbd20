import { randomInt } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './terminal.ts'

/** Of 198.18.0.0/15, which is for tests (RFC 2544); a /30 for each namespace. */
const NETWORKS = 2 ** 15

/**
 * A machine of its own as far as the network can tell: a network namespace, joined by one cable (a veth pair) to this
 * machine, or to another namespace only. Needs root.
 */
export class NetworkNamespace implements AsyncDisposable {
  readonly name: string
  /** Of this machine, or of the namespace that this one is behind, as the namespace sees it. */
  readonly outside: string
  /** Of the namespace. */
  readonly inside: string
  readonly #behind: NetworkNamespace | undefined

  static async create({ behind }: { behind?: NetworkNamespace } = {}): Promise<NetworkNamespace> {
    const namespace = new NetworkNamespace(randomInt(NETWORKS), behind)
    try {
      await namespace.#connect()
      return namespace
    } catch (error) {
      await namespace[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(network: number, behind: NetworkNamespace | undefined) {
    this.#behind = behind
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

  /** The names that the namespace knows, all of this machine; it asks no DNS server. */
  async knowOnly(...names: string[]): Promise<void> {
    await this.knowHosts(Object.fromEntries(names.map(name => [name, this.outside])))
  }

  /** Names and their addresses: the only ones there. `ip netns exec` puts the files in place. */
  async knowHosts(addresses: Record<string, string>): Promise<void> {
    const hosts = Object.entries({ localhost: '127.0.0.1', ...addresses })
    await mkdir(this.#files, { recursive: true })
    await writeFile(
      join(this.#files, 'hosts'),
      hosts.map(([name, address]) => `${address} ${name}\n`),
    )
    await writeFile(join(this.#files, 'resolv.conf'), 'nameserver 127.0.0.1\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its end of the cable goes with it, and so does ours.
    await run('ip', ['netns', 'delete', this.name])
    await run('ip', ['link', 'delete', this.#cable])
    await rm(this.#files, { recursive: true, force: true })
  }

  /** Where ip-netns(8) looks for files that stand in for those of /etc. */
  get #files(): string {
    return join('/etc/netns', this.name)
  }

  get #cable(): string {
    // At most 15 characters.
    return this.name.replace('sallyport', 'sp')
  }

  async #connect(): Promise<void> {
    const far = `${this.#cable}p`
    const near = this.#behind === undefined ? ['ip'] : ['ip', '-n', this.#behind.name]
    await succeed('ip', 'netns', 'add', this.name)
    await succeed(
      ...near,
      ...`link add ${this.#cable} type veth peer name ${far} netns ${this.name}`.split(' '),
    )
    await succeed(...near, 'address', 'add', `${this.outside}/30`, 'dev', this.#cable)
    await succeed(...near, 'link', 'set', this.#cable, 'up')
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
