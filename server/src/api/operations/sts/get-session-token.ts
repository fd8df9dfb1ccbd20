import { DEFAULT_SESSION_TOKEN, type GetSessionTokenOutput, stsOperations } from '@sallyport/protocol/api/sts'
import { operation } from '../../operation.ts'
import { toStsCredentials } from './credentials.ts'
import { NO_PERMISSION, refuseMfa, sessionCredentials } from './permissions.ts'

/** Temporary credentials for what a user may do. Like AWS's it is not subject to policies. */
export const getSessionToken = operation({
  input: stsOperations.GetSessionToken.input,
  callers: ['person'],
  access: () => NO_PERMISSION,
  run: async (context, input, person): Promise<GetSessionTokenOutput> => {
    if (person.kind === 'role' || person.temporary !== undefined) throw sessionCredentials('GetSessionToken')
    refuseMfa(input)
    const lifetime = (input.DurationSeconds ?? DEFAULT_SESSION_TOKEN) * 1000
    return { Credentials: toStsCredentials(context.sessionCredentials.issue(person, context.now, lifetime)) }
  },
})
