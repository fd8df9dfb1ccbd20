import type { Plugin } from '../plugin.ts'
import { type Interpreter, runCommands } from './script.ts'

const PLAIN_PATH = /^[A-Za-z0-9_./-]+$/

// The shell runs the file rather than reading it, so that `#!` counts.
const SHELL: Interpreter = {
  scriptName: '_script.sh',
  command: script => ({ file: '/bin/sh', args: ['-c', PLAIN_PATH.test(script) ? script : quoted(script)] }),
}

/** aws:runShellScript */
export const runShellScript: Plugin = run => runCommands(run, SHELL)

/** How a shell refers to a variable: what is in it is never read as code. */
export function shellReference(variable: string): string {
  return `\${${variable}}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
