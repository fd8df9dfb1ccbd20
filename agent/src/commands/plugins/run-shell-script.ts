import type { Plugin } from '../plugin.ts'
import { type Interpreter, runCommands } from './script.ts'

// A shell runs the file rather than reading it (run-script.ts), so that `#!` counts.
const SHELL: Interpreter = {
  scriptName: '_script.sh',
  command: script => ({ file: script, args: [] }),
}

/** aws:runShellScript */
export const runShellScript: Plugin = run => runCommands(run, SHELL)

/** How a shell refers to a variable: what is in it is never read as code. */
export function shellReference(variable: string): string {
  return `\${${variable}}`
}
