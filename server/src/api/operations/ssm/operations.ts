import type { OperationTable } from '../../operation.ts'
import { addTagsToResource } from './add-tags-to-resource.ts'
import { createActivation } from './create-activation.ts'
import { createDocument } from './create-document.ts'
import { deleteActivation } from './delete-activation.ts'
import { deleteDocument } from './delete-document.ts'
import { deregisterManagedInstance } from './deregister-managed-instance.ts'
import { describeActivations } from './describe-activations.ts'
import { describeDocumentOperation } from './describe-document.ts'
import { describeInstanceInformation } from './describe-instance-information.ts'
import { describeSessions } from './describe-sessions.ts'
import { getConnectionStatus } from './get-connection-status.ts'
import { getDocument } from './get-document.ts'
import { listDocuments } from './list-documents.ts'
import { listInstanceAssociations } from './list-instance-associations.ts'
import { listTagsForResource } from './list-tags-for-resource.ts'
import { registerManagedInstance } from './register-managed-instance.ts'
import { removeTagsFromResource } from './remove-tags-from-resource.ts'
import { requestManagedInstanceRoleToken } from './request-managed-instance-role-token.ts'
import { resumeSession } from './resume-session.ts'
import { startSession } from './start-session.ts'
import { terminateSession } from './terminate-session.ts'
import { updateDocument } from './update-document.ts'
import { updateDocumentDefaultVersion } from './update-document-default-version.ts'
import { updateInstanceInformation } from './update-instance-information.ts'
import { updateManagedInstancePublicKey } from './update-managed-instance-public-key.ts'
import { updateManagedInstanceRole } from './update-managed-instance-role.ts'

export const ssm: OperationTable = {
  AddTagsToResource: addTagsToResource,
  CreateActivation: createActivation,
  CreateDocument: createDocument,
  DeleteActivation: deleteActivation,
  DeleteDocument: deleteDocument,
  DeregisterManagedInstance: deregisterManagedInstance,
  DescribeActivations: describeActivations,
  DescribeDocument: describeDocumentOperation,
  DescribeInstanceInformation: describeInstanceInformation,
  DescribeSessions: describeSessions,
  GetConnectionStatus: getConnectionStatus,
  GetDocument: getDocument,
  ListDocuments: listDocuments,
  ListInstanceAssociations: listInstanceAssociations,
  ListTagsForResource: listTagsForResource,
  RegisterManagedInstance: registerManagedInstance,
  RemoveTagsFromResource: removeTagsFromResource,
  RequestManagedInstanceRoleToken: requestManagedInstanceRoleToken,
  ResumeSession: resumeSession,
  StartSession: startSession,
  TerminateSession: terminateSession,
  UpdateDocument: updateDocument,
  UpdateDocumentDefaultVersion: updateDocumentDefaultVersion,
  UpdateInstanceInformation: updateInstanceInformation,
  UpdateManagedInstancePublicKey: updateManagedInstancePublicKey,
  UpdateManagedInstanceRole: updateManagedInstanceRole,
}
