import { ec2Operations, type ProfileAssociationOutput } from '@sallyport/protocol/api/ec2'
import { operation } from '../../operation.ts'
import { associatedCheck } from './associated-check.ts'
import { checkDryRun } from './dry-run.ts'
import { describeAssociation, noSuchAssociation } from './profiles.ts'

/** Without a role the instance goes offline. */
export const disassociateIamInstanceProfile = operation({
  input: ec2Operations.DisassociateIamInstanceProfile.input,
  callers: ['person'],
  access: async ({ AssociationId }, context) => ({ all: [await associatedCheck(context, AssociationId)] }),
  changesAccess: true,
  run: async (context, input): Promise<ProfileAssociationOutput> => {
    checkDryRun(input)
    const { store, scope } = context
    const removed = await store.profileAssociations.remove(scope, input.AssociationId)
    if (removed === undefined) throw noSuchAssociation(input.AssociationId)
    return { iamInstanceProfileAssociation: await describeAssociation(context, removed, 'disassociated') }
  },
})
