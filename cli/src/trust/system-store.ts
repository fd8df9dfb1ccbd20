import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, constants, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Environment } from '../aws-config.ts'
import { CliError } from '../errors.ts'
import type { Ca } from './ca.ts'

/** How a kind of system keeps the CAs that all its programs trust. */
type Kind = {
  /** Where administrators put theirs. */
  anchors: string
  suffix: string
  program: string
  addArguments: string[]
  removeArguments: string[]
  /** What the program makes of all CAs, in one file. */
  bundle: string
}

const KINDS: readonly Kind[] = [
  // Debian and Ubuntu: update-ca-certificates(8). Only --fresh removes the links to a file that is gone.
  {
    anchors: '/usr/local/share/ca-certificates',
    suffix: '.crt',
    program: 'update-ca-certificates',
    addArguments: [],
    removeArguments: ['--fresh'],
    bundle: '/etc/ssl/certs/ca-certificates.crt',
  },
  // RHEL, Fedora and their like: update-ca-trust(8).
  {
    anchors: '/etc/pki/ca-trust/source/anchors',
    suffix: '.pem',
    program: 'update-ca-trust',
    addArguments: ['extract'],
    removeArguments: ['extract'],
    bundle: '/etc/pki/tls/certs/ca-bundle.crt',
  },
]
/** Not on everybody's PATH. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']
const OURS = /^sallyport-[0-9a-f]{16}\.(?:crt|pem)$/
const READABLE_BY_ALL = 0o644

/** The list of CAs of this machine. */
export class SystemStore {
  readonly #kind: Kind
  readonly #program: string
  readonly #root: string

  /** Undefined on a system that is not known here. `root` is where the file system begins. */
  static async find(env: Environment, root = '/'): Promise<SystemStore | undefined> {
    for (const kind of KINDS) {
      const program = await findProgram(kind.program, env)
      if (program !== undefined && (await isThere(join(root, kind.anchors), constants.F_OK)))
        return new SystemStore(kind, program, root)
    }
    return undefined
  }

  private constructor(kind: Kind, program: string, root: string) {
    this.#kind = kind
    this.#program = program
    this.#root = root
  }

  /** The file with all CAs, for programs that have to be told. */
  get bundle(): string {
    return join(this.#root, this.#kind.bundle)
  }

  /** The file for a CA with this hash. */
  fileOf(hash: string): string {
    return join(this.#anchors, `sallyport-${hash.slice('sha256:'.length).slice(0, 16)}${this.#kind.suffix}`)
  }

  /** Files of the CAs that were installed by `install`. */
  async installed(): Promise<string[]> {
    const names = await readdir(this.#anchors)
    return names.filter(name => OURS.test(name)).map(name => join(this.#anchors, name))
  }

  /** Answers what the system's own program was called with. Throws if the CA is not in the bundle afterwards. */
  async install(ca: Ca): Promise<string> {
    const file = this.fileOf(ca.hash)
    await writeFile(file, ca.pem)
    // Whatever the umask of root is.
    await chmod(file, READABLE_BY_ALL)
    const called = await this.#update(this.#kind.addArguments)
    const oneLine = (pem: string) => pem.replace(/\s/g, '')
    if (!oneLine(await readFile(this.bundle, 'utf8')).includes(oneLine(ca.pem)))
      throw new CliError(`${file} was written, but after ${called} the CA is not in ${this.bundle}.`)
    return called
  }

  async remove(file: string): Promise<string> {
    await rm(file)
    return await this.#update(this.#kind.removeArguments)
  }

  get #anchors(): string {
    return join(this.#root, this.#kind.anchors)
  }

  async #update(args: string[]): Promise<string> {
    const child = spawn(this.#program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    if (code !== 0) throw new CliError(`${this.#program} failed (${signal ?? code}).`)
    return [this.#kind.program, ...args].join(' ')
  }
}

const findProgram = async (name: string, env: Environment): Promise<string | undefined> => {
  for (const folder of [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...SYSTEM_FOLDERS]) {
    const file = join(folder, name)
    if (await isThere(file, constants.X_OK)) return file
  }
  return undefined
}

const isThere = (path: string, mode: number) =>
  access(path, mode).then(
    () => true,
    () => false,
  )
