import { createRequire } from 'node:module'

/** What the addon of node-pty 1.1.0 exports, as far as it is used here. */
export type NativePty = {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    cols: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helperPath: string,
    onexit: (exitCode: number, signal: number) => void,
  ): { fd: number; pid: number; pty: string }
  open(cols: number, rows: number): { master: number; slave: number; pty: string }
  resize(fd: number, cols: number, rows: number): void
}

const platformPackage = `@lydell/node-pty-${process.platform}-${process.arch}`
const require = createRequire(import.meta.url)
let loaded: NativePty | undefined

/** The prebuilt addon; loaded at the first terminal, so an agent that only forwards ports runs without it. */
export const nativePty = (): NativePty => {
  if (loaded !== undefined) return loaded
  try {
    loaded = require(`${platformPackage}/pty.node`) as NativePty
    return loaded
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new Error(
      `Terminals are not available on this node: the native module ${platformPackage} could not be loaded ` +
        `(${reason}). Install the agent with its optional dependencies for ${process.platform}-${process.arch}.`,
      { cause },
    )
  }
}

/** The addon's posix_spawn helper, which only macOS needs. */
export const spawnHelperPath = (): string =>
  process.platform === 'darwin' ? require.resolve(`${platformPackage}/spawn-helper`) : ''
