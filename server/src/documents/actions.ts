import type { Platform } from './command-schema.ts'

const WINDOWS: readonly Platform[] = ['Windows']
const UNIX: readonly Platform[] = ['Linux', 'MacOS']
const ALL: readonly Platform[] = ['Windows', 'Linux', 'MacOS']

/** What agents can do, and where (control-plane.md 12.2 and 14.2). */
const actions: ReadonlyMap<string, readonly Platform[]> = new Map([
  ['aws:runShellScript', UNIX],
  ['aws:runPowerShellScript', ALL],
  ['aws:runDocument', ALL],
  ['aws:downloadContent', ALL],
  ['aws:configurePackage', ALL],
  ['aws:softwareInventory', ALL],
  ['aws:refreshAssociation', ALL],
  ['aws:updateSsmAgent', ALL],
  ['aws:runDockerAction', ['Windows', 'Linux']],
  ['aws:domainJoin', ['Windows', 'Linux']],
  ['aws:configureDaemon', ['Windows', 'Linux']],
  ['aws:updateAgent', WINDOWS],
  ['aws:configureDocker', WINDOWS],
  ['aws:applications', WINDOWS],
  ['aws:psModule', WINDOWS],
  ['aws:cloudWatch', WINDOWS],
])

export const actionNames: readonly string[] = [...actions.keys()]

export function platformsOfAction(action: string): readonly Platform[] {
  return actions.get(action) ?? []
}
