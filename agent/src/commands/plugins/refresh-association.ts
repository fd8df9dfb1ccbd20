import { type Plugin, SUCCEEDED } from '../plugin.ts'

/** aws:refreshAssociation: documents that are run on it again and again would have it look for changes. */
export const refreshAssociation: Plugin = async ({ output }) => {
  await output.say('stdout', 'This node has no associations: there is nothing to refresh.\n')
  return SUCCEEDED
}
