import type { AnyOperation } from './operation.ts'
import { acknowledgeMessage } from './operations/ec2messages/acknowledge-message.ts'
import { deleteMessage } from './operations/ec2messages/delete-message.ts'
import { failMessage } from './operations/ec2messages/fail-message.ts'
import { getEndpoint } from './operations/ec2messages/get-endpoint.ts'
import { getMessages } from './operations/ec2messages/get-messages.ts'
import { sendReply } from './operations/ec2messages/send-reply.ts'
import { listUserTags } from './operations/iam/list-user-tags.ts'
import { tagUser } from './operations/iam/tag-user.ts'
import { untagUser } from './operations/iam/untag-user.ts'
import { addTagsToResource } from './operations/ssm/add-tags-to-resource.ts'
import { createActivation } from './operations/ssm/create-activation.ts'
import { createDocument } from './operations/ssm/create-document.ts'
import { deleteActivation } from './operations/ssm/delete-activation.ts'
import { deleteDocument } from './operations/ssm/delete-document.ts'
import { deregisterManagedInstance } from './operations/ssm/deregister-managed-instance.ts'
import { describeActivations } from './operations/ssm/describe-activations.ts'
import { describeDocumentOperation } from './operations/ssm/describe-document.ts'
import { describeInstanceInformation } from './operations/ssm/describe-instance-information.ts'
import { describeSessions } from './operations/ssm/describe-sessions.ts'
import { getConnectionStatus } from './operations/ssm/get-connection-status.ts'
import { getDocument } from './operations/ssm/get-document.ts'
import { listDocuments } from './operations/ssm/list-documents.ts'
import { listInstanceAssociations } from './operations/ssm/list-instance-associations.ts'
import { listTagsForResource } from './operations/ssm/list-tags-for-resource.ts'
import { registerManagedInstance } from './operations/ssm/register-managed-instance.ts'
import { removeTagsFromResource } from './operations/ssm/remove-tags-from-resource.ts'
import { requestManagedInstanceRoleToken } from './operations/ssm/request-managed-instance-role-token.ts'
import { resumeSession } from './operations/ssm/resume-session.ts'
import { startSession } from './operations/ssm/start-session.ts'
import { terminateSession } from './operations/ssm/terminate-session.ts'
import { updateDocument } from './operations/ssm/update-document.ts'
import { updateDocumentDefaultVersion } from './operations/ssm/update-document-default-version.ts'
import { updateInstanceInformation } from './operations/ssm/update-instance-information.ts'
import { updateManagedInstancePublicKey } from './operations/ssm/update-managed-instance-public-key.ts'
import { createControlChannel } from './operations/ssmmessages/create-control-channel.ts'
import { createDataChannel } from './operations/ssmmessages/create-data-channel.ts'
import { getCallerIdentity } from './operations/sts/get-caller-identity.ts'

/** Every operation that there is, by service and name. What is not here does not exist. */
export const operations: Readonly<Record<string, AnyOperation | undefined>> = {
  'ec2messages.AcknowledgeMessage': acknowledgeMessage,
  'ec2messages.DeleteMessage': deleteMessage,
  'ec2messages.FailMessage': failMessage,
  'ec2messages.GetEndpoint': getEndpoint,
  'ec2messages.GetMessages': getMessages,
  'ec2messages.SendReply': sendReply,
  'iam.ListUserTags': listUserTags,
  'iam.TagUser': tagUser,
  'iam.UntagUser': untagUser,
  'ssm.AddTagsToResource': addTagsToResource,
  'ssm.CreateActivation': createActivation,
  'ssm.CreateDocument': createDocument,
  'ssm.DeleteActivation': deleteActivation,
  'ssm.DeleteDocument': deleteDocument,
  'ssm.DeregisterManagedInstance': deregisterManagedInstance,
  'ssm.DescribeActivations': describeActivations,
  'ssm.DescribeDocument': describeDocumentOperation,
  'ssm.DescribeInstanceInformation': describeInstanceInformation,
  'ssm.DescribeSessions': describeSessions,
  'ssm.GetConnectionStatus': getConnectionStatus,
  'ssm.GetDocument': getDocument,
  'ssm.ListDocuments': listDocuments,
  'ssm.ListInstanceAssociations': listInstanceAssociations,
  'ssm.ListTagsForResource': listTagsForResource,
  'ssm.RegisterManagedInstance': registerManagedInstance,
  'ssm.RemoveTagsFromResource': removeTagsFromResource,
  'ssm.RequestManagedInstanceRoleToken': requestManagedInstanceRoleToken,
  'ssm.ResumeSession': resumeSession,
  'ssm.StartSession': startSession,
  'ssm.TerminateSession': terminateSession,
  'ssm.UpdateDocument': updateDocument,
  'ssm.UpdateDocumentDefaultVersion': updateDocumentDefaultVersion,
  'ssm.UpdateInstanceInformation': updateInstanceInformation,
  'ssm.UpdateManagedInstancePublicKey': updateManagedInstancePublicKey,
  'ssmmessages.CreateControlChannel': createControlChannel,
  'ssmmessages.CreateDataChannel': createDataChannel,
  'sts.GetCallerIdentity': getCallerIdentity,
}
