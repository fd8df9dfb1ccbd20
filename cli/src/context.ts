import type { Environment } from './aws-config.ts'
import type { ApiClient } from './client.ts'
import type { SettingsOptions } from './settings.ts'

/** What a command works with. Handed in, so that a test needs neither a process nor a server. */
export type CommandContext = {
  env: Environment
  /** Results. For `connect` the bytes of the node, and nothing else. */
  out: (text: string) => void
  /** Everything that is for the person. */
  err: (text: string) => void
  /** Of the terminal that standard output is; undefined where it is none. */
  columns?: number | undefined
  /** Whether what is for the person goes to a terminal. */
  errIsTerminal?: boolean
  /** Milliseconds since 1970. */
  now: () => number
  connect: (options: SettingsOptions) => Promise<Connection>
}

export type Connection = { client: ApiClient; endpoint: URL; region: string; ca?: string }

export const processContext = (): CommandContext => ({
  env: process.env,
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  // Looked at when they are wanted: to touch the streams takes time.
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns : undefined
  },
  get errIsTerminal() {
    return process.stderr.isTTY
  },
  now: Date.now,
  connect: async options => {
    const [{ loadSettings }, { createClient }] = await Promise.all([
      import('./settings.ts'),
      import('./client.ts'),
    ])
    const settings = await loadSettings(options, process.env)
    const { endpoint, region, ca } = settings
    return { client: createClient(settings), endpoint, region, ...(ca === undefined ? {} : { ca }) }
  },
})
