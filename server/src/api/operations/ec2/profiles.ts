import type { Ec2Profile, ProfileAssociation, ProfileSpecification } from '@sallyport/protocol/api/ec2'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessCheck } from '@sallyport/server/iam/access-plan'
import { instanceProfileArn } from '@sallyport/server/iam/arns'
import { NODE_SERVICES } from '@sallyport/server/iam/service-trust'
import type { InstanceProfileRow, ProfileAssociationRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { passRoleCheck } from '../../pass-role.ts'

/** The profile that a request names, if there is one. */
export async function findProfile(
  context: OperationContext,
  given: ProfileSpecification,
): Promise<InstanceProfileRow | undefined> {
  const name = given.Name ?? given.Arn?.split('/').at(-1)
  if (name === undefined) return undefined
  const profile = await context.store.instanceProfiles.get(context.scope, name)
  if (profile === undefined || given.Arn === undefined) return profile
  return instanceProfileArn(context, profile.path, profile.profileName) === given.Arn ? profile : undefined
}

/** Throws as EC2 does, and says how a profile is made: guides made with the console, which does it, leave that out. */
export async function neededProfile(
  context: OperationContext,
  given: ProfileSpecification,
): Promise<InstanceProfileRow> {
  const both = given.Name !== undefined && given.Arn !== undefined
  if (both || (given.Name === undefined && given.Arn === undefined)) {
    throw new AwsError(
      both ? 'InvalidParameterCombination' : 'MissingParameter',
      'The parameter iamInstanceProfile must have either a name or an arn.',
    )
  }
  const profile = await findProfile(context, given)
  if (profile !== undefined) return profile
  throw invalidProfile(given)
}

export function invalidProfile(given: ProfileSpecification): AwsError {
  const value = given.Name ?? given.Arn ?? ''
  const member = given.Name === undefined ? 'arn' : 'name'
  const name = value.split('/').at(-1) ?? value
  return new AwsError(
    'InvalidParameterValue',
    `Value (${value}) for parameter iamInstanceProfile.${member} is invalid. Invalid IAM Instance Profile ${member}. ` +
      `A role needs an instance profile around it: \`aws iam create-instance-profile --instance-profile-name ${name}\`, ` +
      `then \`aws iam add-role-to-instance-profile --instance-profile-name ${name} --role-name ${name}\`.`,
  )
}

/** What giving a profile to an instance asks of policies, beside the instance (control-plane.md 34.1). */
export async function profilePassChecks(
  context: OperationContext,
  given: ProfileSpecification,
): Promise<AccessCheck[]> {
  const profile = await findProfile(context, given)
  // Without a profile it is refused later on; with one that holds no role, nothing is passed.
  if (profile === undefined || profile.roleName === null) return []
  return [await passRoleCheck(context, profile.roleName, NODE_SERVICES.instance)]
}

/** The condition key of the actions that change profiles. */
export async function profileConditions(
  context: OperationContext,
  given: ProfileSpecification,
): Promise<Record<string, string>> {
  const profile = await findProfile(context, given)
  return profile === undefined ? {} : { 'ec2:InstanceProfile': describeProfile(context, profile).arn }
}

export function describeProfile(context: OperationContext, profile: InstanceProfileRow): Ec2Profile {
  return { arn: instanceProfileArn(context, profile.path, profile.profileName), id: profile.profileId }
}

export async function describeAssociation(
  context: OperationContext,
  association: ProfileAssociationRow,
  state: ProfileAssociation['state'] = 'associated',
): Promise<ProfileAssociation> {
  const { store, scope } = context
  const profile = await store.instanceProfiles.get(scope, association.profileName)
  return {
    associationId: association.associationId,
    instanceId: association.nodeId,
    // It may have been deleted since: its name is what is left of it.
    iamInstanceProfile:
      profile === undefined
        ? { arn: instanceProfileArn(context, '/', association.profileName), id: '' }
        : describeProfile(context, profile),
    state,
    timestamp: new Date(association.createdAt),
  }
}

export function noSuchAssociation(associationId: string): AwsError {
  return new AwsError(
    'InvalidAssociationID.NotFound',
    `An invalid association-id of '${associationId}' was given`,
  )
}
