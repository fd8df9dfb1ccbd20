import type { AccessPlan } from '@sallyport/server/iam/access-plan'

/** For operations of ours that no policy of AWS's knows: every node that may be online may call them. */
export const ON_CONTROL_CHANNEL: AccessPlan = {
  all: [{ action: 'ssmmessages:OpenControlChannel', resource: '*' }],
}
