import { textOf } from '../json.ts'
import type { Plugin } from '../plugin.ts'

/** aws:updateSsmAgent. Where the update comes from is the agent's business: `source` names a store of AWS. */
export const updateSsmAgent: Plugin = async ({ inputs, request, output }) => {
  if (request.update === undefined) {
    throw new Error(
      'This agent cannot update itself. Install the new version on the node as you installed this one.',
    )
  }
  const allowDowngrade = textOf(inputs, 'allowDowngrade') === 'true'
  const targetVersion = textOf(inputs, 'targetVersion')
  const { status, code, stdout, stderr } = await request.update({
    targetVersion,
    allowDowngrade,
    signal: request.signal,
  })
  await output.say('stdout', stdout)
  await output.say('stderr', stderr)
  return { status, code }
}
