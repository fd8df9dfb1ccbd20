import { ec2Operations, type ProfileAssociationOutput } from '@sallyport/protocol/api/ec2'
import { operation } from '../../operation.ts'
import { associatedCheck } from './associated-check.ts'
import { newAssociationId } from './association-id.ts'
import { checkDryRun } from './dry-run.ts'
import {
  describeAssociation,
  invalidProfile,
  neededProfile,
  noSuchAssociation,
  profileConditions,
  profilePassChecks,
} from './profiles.ts'

/** The instance is never without a role in between. */
export const replaceIamInstanceProfileAssociation = operation({
  input: ec2Operations.ReplaceIamInstanceProfileAssociation.input,
  callers: ['person'],
  access: async ({ AssociationId, IamInstanceProfile }, context) => ({
    all: [
      await associatedCheck(context, AssociationId, await profileConditions(context, IamInstanceProfile)),
      ...(await profilePassChecks(context, IamInstanceProfile)),
    ],
  }),
  changesAccess: true,
  run: async (context, input): Promise<ProfileAssociationOutput> => {
    checkDryRun(input)
    const { store, scope, now } = context
    const { AssociationId } = input
    const former = await store.profileAssociations.get(scope, AssociationId)
    if (former === undefined) throw noSuchAssociation(AssociationId)
    const { profileName } = await neededProfile(context, input.IamInstanceProfile)
    const associationId = newAssociationId()
    const successor = { associationId, profileName, createdAt: now }
    const outcome = await store.profileAssociations.replace(scope, AssociationId, successor)
    if (outcome.association !== undefined) {
      return { iamInstanceProfileAssociation: await describeAssociation(context, outcome.association) }
    }
    throw outcome.reason === 'no-profile'
      ? invalidProfile(input.IamInstanceProfile)
      : noSuchAssociation(AssociationId)
  },
})
