import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GetServiceLinkedRoleDeletionStatusOutput } from '@sallyport/protocol/api/iam-roles'
import { operation } from '../../operation.ts'
import { noSuchEntity } from './errors.ts'

const TASK = /^task\/aws-service-role\/[\w.-]+\/[\w+=,.@-]+\/[0-9a-f-]{36}$/

/** Every deletion that gave an id has succeeded; no ids are kept. */
export const getServiceLinkedRoleDeletionStatus = operation({
  input: iamOperations.GetServiceLinkedRoleDeletionStatus.input,
  callers: ['person'],
  run: async (_context, { DeletionTaskId }): Promise<GetServiceLinkedRoleDeletionStatusOutput> => {
    if (!TASK.test(DeletionTaskId)) throw noSuchEntity(`There is no deletion task ${DeletionTaskId}.`)
    return { Status: 'SUCCEEDED' }
  },
})
