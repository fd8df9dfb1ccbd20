import type { OperationTable } from '../../operation.ts'
import { createControlChannel } from './create-control-channel.ts'
import { createDataChannel } from './create-data-channel.ts'

export const ssmmessages: OperationTable = {
  CreateControlChannel: createControlChannel,
  CreateDataChannel: createDataChannel,
}
