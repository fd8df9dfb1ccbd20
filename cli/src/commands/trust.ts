import { readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { CommandContext } from '../context.ts'
import { CliError, EXIT, usageError } from '../errors.ts'
import { inert } from '../inert.ts'
import { loadEndpoint, type SettingsOptions } from '../settings.ts'
import { type Ca, fetchCa, parseCaHash, readCa } from '../trust/ca.ts'
import { SystemStore } from '../trust/system-store.ts'

export type TrustOptions = SettingsOptions & {
  caHash?: string
  dataDir?: string
  output?: string
  install?: boolean
  uninstall?: boolean
}

/** What of the machine it depends on. */
export type Machine = {
  isRoot: boolean
  /** Where the file system begins. */
  root: string
  /** Puts a question to the person; undefined where there is none. */
  ask: ((question: string) => Promise<string>) | undefined
}

/** `verified` says how; undefined if nobody knows yet whose CA it is. */
type Found = { ca: Ca; verified: string | undefined }

/**
 * `sallyport trust`: the server's CA on standard output, and everything that a person has to know about it on standard
 * error; or into this machine's list of CAs, but only one that is known to be the right one.
 */
export const trust = async (
  options: TrustOptions,
  context: CommandContext,
  machine: Machine = thisMachine(),
): Promise<number> => {
  const { install, uninstall, output } = options
  if (install && uninstall) throw usageError('--install and --uninstall exclude each other')
  const caHash = options.caHash === undefined ? undefined : parseCaHash(options.caHash)
  if (uninstall) return await remove(caHash, context, machine)
  const store = install ? await openStore('--install', context, machine) : undefined
  const { ca, verified } = await findCa(options, caHash, context)
  context.err(describe(ca, verified))
  if (store !== undefined) {
    if (verified === undefined) await confirm(machine)
    const called = await store.install(ca)
    context.err(`Wrote ${store.fileOf(ca.hash)} and ran ${called}.\n`)
  }
  if (output !== undefined) {
    await writeFile(resolve(output), ca.pem).catch((error: Error) => {
      throw new CliError(`The CA cannot be written: ${error.message}`)
    })
    context.err(`Wrote ${resolve(output)}.\n`)
  }
  if (store === undefined && output === undefined) context.out(ca.pem)
  context.err(store === undefined ? howToTrust(output && resolve(output)) : afterInstallation(store.bundle))
  return EXIT.ok
}

const thisMachine = (): Machine => ({
  isRoot: process.getuid?.() === 0,
  root: '/',
  ask: process.stdin.isTTY
    ? async question => {
        const terminal = createInterface({ input: process.stdin, output: process.stderr })
        try {
          return await terminal.question(question)
        } finally {
          terminal.close()
        }
      }
    : undefined,
})

const findCa = async (
  options: TrustOptions,
  caHash: string | undefined,
  context: CommandContext,
): Promise<Found> => {
  const { endpoint, readCa: readBundle } = await loadEndpoint(options, context.env)
  if (options.dataDir !== undefined || endpoint === undefined) return await fromDisk(options, caHash, context)
  if (caHash !== undefined) {
    const ca = present(await fetchCa(endpoint, { env: context.env, insecure: true }), endpoint)
    return compared(ca, caHash, endpoint.origin)
  }
  const verifiedHere = endpoint.protocol === 'https:' ? 'the connection was trusted already' : undefined
  try {
    const ca = await fetchCa(endpoint, { env: context.env, ca: await readBundle(), insecure: false })
    return { ca: present(ca, endpoint), verified: verifiedHere }
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ConnectionUntrusted') throw error
    const ca = await fetchCa(endpoint, { env: context.env, insecure: true })
    return { ca: present(ca, endpoint), verified: undefined }
  }
}

const fromDisk = async (
  { dataDir }: TrustOptions,
  caHash: string | undefined,
  { env }: CommandContext,
): Promise<Found> => {
  const standard = process.getuid?.() === 0 ? '/var/lib/sallyport' : join(homedir(), '.sallyport')
  const file = join(dataDir ?? (env.SALLYPORT_DATA_DIR || standard), 'tls/ca.pem')
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    if (dataDir !== undefined) throw new CliError(`The CA cannot be read: ${error.message}`)
    throw usageError(
      `Nothing says where the server is (--endpoint-url https://sallyport.example.org), and this is not the server: ${error.message}`,
    )
  })
  const ca = readCa(text, file)
  return caHash === undefined ? { ca, verified: `read from ${file}` } : compared(ca, caHash, file)
}

const present = (ca: Ca | undefined, endpoint: URL): Ca => {
  if (ca !== undefined) return ca
  throw new CliError(
    `${endpoint.origin} has no CA of its own to trust: it is no Sallyport server, or its certificate comes from another CA. Programs trust a public one already.`,
  )
}

const compared = (ca: Ca, caHash: string, where: string): Found => {
  if (ca.hash === caHash) return { ca, verified: 'it has the hash that you gave' }
  throw new CliError(
    `${where} presents a CA with hash ${ca.hash}, not ${caHash}. Either the hash was mistyped, or this is not your server: do not go on.`,
  )
}

const confirm = async ({ ask }: Machine): Promise<void> => {
  if (ask === undefined)
    throw new CliError(
      'Nothing was installed: it is not certain whose CA this is. Give --ca-hash, as the server prints it.',
    )
  const answer = await ask(
    "Does the server's console or log show this very 'CA hash'? Type yes to install it: ",
  )
  if (answer.trim().toLowerCase() !== 'yes') throw new CliError('Nothing was installed.')
}

const remove = async (
  caHash: string | undefined,
  context: CommandContext,
  machine: Machine,
): Promise<number> => {
  const store = await openStore('--uninstall', context, machine)
  const installed = await store.installed()
  const wanted = caHash === undefined ? installed : installed.filter(file => file === store.fileOf(caHash))
  const [file, ...more] = wanted
  if (more.length > 0) {
    const hashes = await Promise.all(
      wanted.map(async path => `  ${readCa(await readFile(path, 'utf8'), path).hash}\n`),
    )
    throw usageError(`Several CAs are installed. Say which one with --ca-hash:\n${hashes.join('')}`)
  }
  if (file === undefined) {
    context.err('There is nothing to remove.\n')
    return EXIT.ok
  }
  const called = await store.remove(file)
  context.err(`Removed ${file} and ran ${called}.\n`)
  return EXIT.ok
}

const openStore = async (option: string, context: CommandContext, machine: Machine): Promise<SystemStore> => {
  if (!machine.isRoot) throw new CliError(`${option} needs root. Try it with sudo.`)
  const store = await SystemStore.find(context.env, machine.root)
  if (store === undefined)
    throw new CliError(
      'How this system keeps its CAs is not known: it has neither update-ca-certificates (Debian, Ubuntu) nor update-ca-trust (RHEL, Fedora). Write the CA to a file with --output and add it in the way of the system.',
    )
  return store
}

const describe = ({ subject, until, hash }: Ca, verified: string | undefined): string =>
  [
    `CA        ${inert(subject)}, until ${until.toISOString().slice(0, 10)}`,
    `CA hash   ${hash}`,
    `verified  ${verified ?? "NO. Compare the hash with the line 'CA hash' that the server prints, or give it with --ca-hash."}`,
    '',
    '',
  ].join('\n')

const howToTrust = (file: string | undefined): string => {
  const name = file ?? 'FILE'
  return `${file === undefined ? '\nWith --output FILE it is written to a file. ' : ''}Which program takes it from where:
  aws, boto3, sallyport, session-manager-plugin of Sallyport   AWS_CA_BUNDLE=${name}
  amazon-ssm-agent, session-manager-plugin of AWS              SSL_CERT_FILE=${name}
  programs on Node.js                                          NODE_EXTRA_CA_CERTS=${name}
  curl                                                         --cacert ${name}
`
}

const afterInstallation = (bundle: string): string => `
curl, git, amazon-ssm-agent and AWS's session-manager-plugin trust it from their next start on. Others have to be told:
  aws, boto3, sallyport, session-manager-plugin of Sallyport   AWS_CA_BUNDLE=${bundle}
  programs on Node.js                                          NODE_EXTRA_CA_CERTS=${bundle}
`
