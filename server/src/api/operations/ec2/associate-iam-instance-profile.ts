import { ec2Operations, type ProfileAssociationOutput } from '@sallyport/protocol/api/ec2'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { newAssociationId } from './association-id.ts'
import { checkDryRun } from './dry-run.ts'
import { instanceCheck, neededInstance } from './instances.ts'
import {
  describeAssociation,
  invalidProfile,
  neededProfile,
  profileConditions,
  profilePassChecks,
} from './profiles.ts'

/** The instance has the role of the profile from then on, and comes online if that is enough. */
export const associateIamInstanceProfile = operation({
  input: ec2Operations.AssociateIamInstanceProfile.input,
  callers: ['person'],
  access: async ({ InstanceId, IamInstanceProfile }, context) => ({
    all: [
      await instanceCheck(context, InstanceId, await profileConditions(context, IamInstanceProfile)),
      ...(await profilePassChecks(context, IamInstanceProfile)),
    ],
  }),
  changesAccess: true,
  run: async (context, input): Promise<ProfileAssociationOutput> => {
    checkDryRun(input)
    const { store, scope, now } = context
    const { nodeId } = await neededInstance(context, input.InstanceId)
    const { profileName } = await neededProfile(context, input.IamInstanceProfile)
    const associationId = newAssociationId()
    const row = { associationId, nodeId, profileName, createdAt: now }
    const outcome = await store.profileAssociations.create(scope, row)
    if (outcome.association !== undefined) {
      return { iamInstanceProfileAssociation: await describeAssociation(context, outcome.association) }
    }
    if (outcome.reason !== 'taken') throw invalidProfile(input.IamInstanceProfile)
    throw new AwsError(
      'IncorrectState',
      `There is an existing association for instance ${nodeId}: ${outcome.former.associationId}, with ${outcome.former.profileName}. Replace or disassociate it.`,
    )
  },
})
