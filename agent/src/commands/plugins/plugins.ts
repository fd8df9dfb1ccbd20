import type { Plugin } from '../plugin.ts'
import { downloadContent } from './download-content.ts'
import { refreshAssociation } from './refresh-association.ts'
import { runDocument } from './run-document.ts'
import { powerShellReference, runPowerShellScript } from './run-powershell-script.ts'
import { runShellScript, shellReference } from './run-shell-script.ts'
import { configurePackage, domainJoin, runDockerAction, softwareInventory } from './unavailable.ts'
import { updateSsmAgent } from './update-ssm-agent.ts'

const ON_WINDOWS = process.platform === 'win32'

/** control-plane.md 12.2. 'unsupported': known, but not on this platform. */
const PLUGINS = new Map<string, Plugin | 'unsupported'>([
  ['aws:runShellScript', ON_WINDOWS ? 'unsupported' : runShellScript],
  ['aws:runPowerShellScript', runPowerShellScript],
  ['aws:runDocument', runDocument],
  ['aws:downloadContent', downloadContent],
  ['aws:configurePackage', configurePackage],
  ['aws:softwareInventory', softwareInventory],
  ['aws:refreshAssociation', refreshAssociation],
  ['aws:updateSsmAgent', updateSsmAgent],
  ['aws:runDockerAction', runDockerAction],
  ['aws:domainJoin', domainJoin],
  ['aws:updateAgent', 'unsupported'],
  ['aws:configureDocker', 'unsupported'],
  ['aws:applications', 'unsupported'],
  ['aws:psModule', 'unsupported'],
  ['aws:cloudWatch', 'unsupported'],
  ['aws:configureDaemon', 'unsupported'],
])

export function findPlugin(name: string): Plugin | 'unsupported' | undefined {
  return PLUGINS.get(name)
}

/** For plugins that run code: how it refers to a variable of its environment. */
export function referenceInCode(plugin: string): ((variable: string) => string) | undefined {
  if (plugin === 'aws:runShellScript') return shellReference
  return plugin === 'aws:runPowerShellScript' ? powerShellReference : undefined
}
