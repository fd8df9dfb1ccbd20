import { findProgram } from '../../sessions/commands/find-program.ts'
import type { Plugin } from '../plugin.ts'
import { type Interpreter, runCommands } from './script.ts'

const PROGRAMS = ['pwsh', '/usr/bin/powershell', 'powershell']

const POWERSHELL: Interpreter = {
  scriptName: '_script.ps1',
  command: (script, env) => {
    const file = PROGRAMS.find(program => findProgram(program, env.PATH ?? '', '/') === 'found')
    if (file !== undefined) return { file, args: ['-NonInteractive', '-File', script] }
    throw new Error('PowerShell is not installed on this node: install pwsh, or use aws:runShellScript.')
  },
}

/** aws:runPowerShellScript */
export const runPowerShellScript: Plugin = run => runCommands(run, POWERSHELL)

/** How PowerShell refers to a variable: what is in it is never read as code. */
export function powerShellReference(variable: string): string {
  return `\${env:${variable}}`
}
