import type { OperationTable } from '../../operation.ts'
import { associateIamInstanceProfile } from './associate-iam-instance-profile.ts'
import { createTags } from './create-tags.ts'
import { deleteTags } from './delete-tags.ts'
import { describeIamInstanceProfileAssociations } from './describe-iam-instance-profile-associations.ts'
import { describeInstanceStatus } from './describe-instance-status.ts'
import { describeInstances } from './describe-instances.ts'
import { describeTags } from './describe-tags.ts'
import { disassociateIamInstanceProfile } from './disassociate-iam-instance-profile.ts'
import { replaceIamInstanceProfileAssociation } from './replace-iam-instance-profile-association.ts'
import { terminateInstances } from './terminate-instances.ts'

export const ec2: OperationTable = {
  AssociateIamInstanceProfile: associateIamInstanceProfile,
  CreateTags: createTags,
  DeleteTags: deleteTags,
  DescribeIamInstanceProfileAssociations: describeIamInstanceProfileAssociations,
  DescribeInstanceStatus: describeInstanceStatus,
  DescribeInstances: describeInstances,
  DescribeTags: describeTags,
  DisassociateIamInstanceProfile: disassociateIamInstanceProfile,
  ReplaceIamInstanceProfileAssociation: replaceIamInstanceProfileAssociation,
  TerminateInstances: terminateInstances,
}
