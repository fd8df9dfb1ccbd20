import type { OperationTable } from '../../operation.ts'
import { assumeRole } from './assume-role.ts'
import { getAccessKeyInfo } from './get-access-key-info.ts'
import { getCallerIdentity } from './get-caller-identity.ts'
import { getSessionToken } from './get-session-token.ts'

export const sts: OperationTable = {
  AssumeRole: assumeRole,
  GetAccessKeyInfo: getAccessKeyInfo,
  GetCallerIdentity: getCallerIdentity,
  GetSessionToken: getSessionToken,
}
