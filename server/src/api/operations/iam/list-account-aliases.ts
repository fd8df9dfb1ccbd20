import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'

/** There are none: an alias is part of the address of AWS's own sign-in page. */
export const listAccountAliases = operation({
  input: iamOperations.ListAccountAliases.input,
  callers: ['person'],
  run: async () => ({ AccountAliases: [], IsTruncated: false }),
})
