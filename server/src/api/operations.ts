import type { AnyOperation, OperationTable } from './operation.ts'
import { ec2 } from './operations/ec2/operations.ts'
import { ec2messages } from './operations/ec2messages/operations.ts'
import { iam } from './operations/iam/operations.ts'
import { ssm } from './operations/ssm/operations.ts'
import { ssmmessages } from './operations/ssmmessages/operations.ts'
import { sts } from './operations/sts/operations.ts'

const services: Readonly<Record<string, OperationTable>> = { ec2, ec2messages, iam, ssm, ssmmessages, sts }

/** What is not in the table of its service does not exist. */
export function findOperation(service: string, name: string): AnyOperation | undefined {
  const table = Object.hasOwn(services, service) ? services[service] : undefined
  return table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined
}

/** Every operation, as `service.Name`. */
export function operationNames(): string[] {
  return Object.entries(services).flatMap(([service, table]) =>
    Object.keys(table).map(name => `${service}.${name}`),
  )
}
