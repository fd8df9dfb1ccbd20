import { iamOperations } from '@sallyport/protocol/api/iam'
import type { RoleOutput } from '@sallyport/protocol/api/iam-roles'
import { AwsError } from '@sallyport/protocol/aws/error'
import { roleArn } from '@sallyport/server/iam/arns'
import { operation } from '../../operation.ts'
import { insertRole } from './create-role.ts'
import { DEFAULT_SESSION_DURATION, SERVICE_ROLE_PATH } from './roles.ts'

/** Services that make themselves a role, and what it is called. */
const SERVICE_ROLES: ReadonlyMap<string, string> = new Map([
  ['ssm.amazonaws.com', 'AWSServiceRoleForAmazonSSM'],
])

/** What AWS makes when Systems Manager is set up; set-up scripts do it by themselves. Nothing here needs it. */
export const createServiceLinkedRole = operation({
  input: iamOperations.CreateServiceLinkedRole.input,
  callers: ['person'],
  access: ({ AWSServiceName }, context) => ({
    all: [
      {
        resource: roleArn(
          context,
          `${SERVICE_ROLE_PATH}${AWSServiceName}/`,
          SERVICE_ROLES.get(AWSServiceName) ?? '*',
        ),
        conditions: { 'iam:AWSServiceName': AWSServiceName },
      },
    ],
  }),
  changesAccess: true,
  run: async (context, { AWSServiceName, Description, CustomSuffix }): Promise<RoleOutput> => {
    const roleName = SERVICE_ROLES.get(AWSServiceName)
    if (roleName === undefined) {
      const known = [...SERVICE_ROLES.keys()].join(', ')
      throw new AwsError(
        'InvalidInput',
        `There is no service-linked role for ${AWSServiceName} here, only for ${known}.`,
      )
    }
    if (CustomSuffix !== undefined) {
      throw new AwsError('InvalidInput', `Custom suffix is not allowed for ${AWSServiceName}`)
    }
    const role = await insertRole(context, {
      roleName,
      path: `${SERVICE_ROLE_PATH}${AWSServiceName}/`,
      description: Description ?? null,
      trustPolicy: trustPolicyFor(AWSServiceName),
      maxSessionDuration: DEFAULT_SESSION_DURATION,
      permissionsBoundary: null,
      tags: [],
      taken: () =>
        new AwsError(
          'InvalidInput',
          `Service role name ${roleName} has been taken in this account, please try a different suffix.`,
        ),
    })
    return { Role: role }
  },
})

function trustPolicyFor(service: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Action: ['sts:AssumeRole'], Principal: { Service: [service] }, Effect: 'Allow' }],
  })
}
