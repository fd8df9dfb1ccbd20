import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { operation } from '../../operation.ts'

const DEFAULT_PAGE = 50

/** control-plane.md 23; codes are never shown again. */
export const describeActivations = operation({
  input: ssmOperations.DescribeActivations.input,
  callers: ['person'],
  run: async ({ store, scope, now }, input) => {
    const values = (key: string) =>
      input.Filters?.filter(f => f.FilterKey === key).flatMap(f => f.FilterValues ?? [])
    const some = (list: string[] | undefined) => (list === undefined || list.length === 0 ? undefined : list)
    const activationIds = some(values('ActivationIds'))
    const defaultInstanceNames = some(values('DefaultInstanceName'))
    const iamRoles = some(values('IamRole'))
    const filters = {
      ...(activationIds && { activationIds }),
      ...(defaultInstanceNames && { defaultInstanceNames }),
      ...(iamRoles && { iamRoles }),
    }
    const page = await store.activations.list(scope, filters, {
      limit: input.MaxResults ?? DEFAULT_PAGE,
      token: input.NextToken,
    })
    return {
      ActivationList: page.items.map(activation => ({
        ActivationId: activation.activationId,
        Description: activation.description ?? undefined,
        DefaultInstanceName: activation.defaultInstanceName ?? undefined,
        IamRole: activation.iamRole,
        RegistrationLimit: activation.registrationLimit,
        RegistrationsCount: activation.registrationsCount,
        ExpirationDate: toTimestamp(activation.expiresAt),
        Expired: activation.expiresAt <= now,
        CreatedDate: toTimestamp(activation.createdAt),
        Tags: activation.tags.length > 0 ? activation.tags : undefined,
      })),
      NextToken: page.nextToken,
    }
  },
})
