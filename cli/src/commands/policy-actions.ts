import { ec2Operations } from '@sallyport/protocol/api/ec2'
import { ec2messagesOperations } from '@sallyport/protocol/api/ec2messages'
import { iamOperations } from '@sallyport/protocol/api/iam'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { ssmmessagesOperations } from '@sallyport/protocol/api/ssmmessages'
import { stsOperations } from '@sallyport/protocol/api/sts'
import { inert } from '../inert.ts'
import { nearest } from '../nodes.ts'

/** By service, in the case in which they are written. Some actions are no operation of that name. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  ec2: Object.keys(ec2Operations),
  ec2messages: Object.keys(ec2messagesOperations),
  iam: [...Object.keys(iamOperations), 'PassRole'],
  ssm: Object.keys(ssmOperations),
  ssmmessages: [...Object.keys(ssmmessagesOperations), 'OpenControlChannel', 'OpenDataChannel'],
  sts: [...Object.keys(stsOperations), 'SetSourceIdentity', 'TagSession'],
}

/** A sentence about an action that nothing in this version asks for: misspelled, or of an AWS that is not here. */
export const unknownAction = (action: string): string | undefined => {
  const [service = '', name = ''] = action.split(':')
  const known = ACTIONS[service.toLowerCase()] ?? []
  if (known.some(each => each.toLowerCase() === name.toLowerCase())) return undefined
  const near = nearest(name, known).map(each => `${service}:${each}`)
  const hint = near.length > 0 ? ` Did you mean ${near.map(each => inert(each)).join(', ')}?` : ''
  return `Nothing in this version asks for ${inert(action)}.${hint}`
}
