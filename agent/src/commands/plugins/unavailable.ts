import type { Plugin } from '../plugin.ts'

/** A plugin that always fails, saying what to do instead. */
function unavailable(why: string): Plugin {
  return async () => {
    throw new Error(why)
  }
}

export const configurePackage = unavailable(
  'aws:configurePackage cannot get packages of AWS Distributor here. Install what you need with the package manager of the system, in aws:runShellScript.',
)
export const softwareInventory = unavailable(
  'aws:softwareInventory is not available: there is no inventory that it could report to. List what you need to know in aws:runShellScript.',
)
export const runDockerAction = unavailable(
  'aws:runDockerAction is not available. Run docker in aws:runShellScript.',
)
export const domainJoin = unavailable(
  'aws:domainJoin is not available: it needs a directory of AWS. Run realm or adcli in aws:runShellScript.',
)
