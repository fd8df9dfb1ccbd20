import type { OperationTable } from '../../operation.ts'
import { addTagsToResource } from './add-tags-to-resource.ts'
import { cancelCommand } from './cancel-command.ts'
import { createActivation } from './create-activation.ts'
import { createDocument } from './create-document.ts'
import { deleteActivation } from './delete-activation.ts'
import { deleteDocument } from './delete-document.ts'
import { deleteParameter } from './delete-parameter.ts'
import { deleteParameters } from './delete-parameters.ts'
import { deregisterManagedInstance } from './deregister-managed-instance.ts'
import { describeActivations } from './describe-activations.ts'
import { describeDocumentOperation } from './describe-document.ts'
import { describeDocumentPermission } from './describe-document-permission.ts'
import { describeInstanceInformation } from './describe-instance-information.ts'
import { describeParameters } from './describe-parameters.ts'
import { describeSessions } from './describe-sessions.ts'
import { getAgentRelease } from './get-agent-release.ts'
import { getAgentReleaseFile } from './get-agent-release-file.ts'
import { getCommandInvocation } from './get-command-invocation.ts'
import { getCommandOutput } from './get-command-output.ts'
import { getConnectionStatus } from './get-connection-status.ts'
import { getDocument } from './get-document.ts'
import { getParameter } from './get-parameter.ts'
import { getParameterHistory } from './get-parameter-history.ts'
import { getParameters } from './get-parameters.ts'
import { getParametersByPath } from './get-parameters-by-path.ts'
import { getServiceSetting } from './get-service-setting.ts'
import { labelParameterVersion } from './label-parameter-version.ts'
import { listCommandInvocations } from './list-command-invocations.ts'
import { listCommands } from './list-commands.ts'
import { listDocumentVersions } from './list-document-versions.ts'
import { listDocuments } from './list-documents.ts'
import { listInstanceAssociations } from './list-instance-associations.ts'
import { listTagsForResource } from './list-tags-for-resource.ts'
import { modifyDocumentPermission } from './modify-document-permission.ts'
import { putCommandOutput } from './put-command-output.ts'
import { putParameter } from './put-parameter.ts'
import { registerManagedInstance } from './register-managed-instance.ts'
import { removeTagsFromResource } from './remove-tags-from-resource.ts'
import { requestManagedInstanceRoleToken } from './request-managed-instance-role-token.ts'
import { resetServiceSetting } from './reset-service-setting.ts'
import { resumeSession } from './resume-session.ts'
import { sendCommand } from './send-command.ts'
import { startSession } from './start-session.ts'
import { terminateSession } from './terminate-session.ts'
import { unlabelParameterVersion } from './unlabel-parameter-version.ts'
import { updateDocument } from './update-document.ts'
import { updateDocumentDefaultVersion } from './update-document-default-version.ts'
import { updateInstanceInformation } from './update-instance-information.ts'
import { updateManagedInstancePublicKey } from './update-managed-instance-public-key.ts'
import { updateManagedInstanceRole } from './update-managed-instance-role.ts'
import { updateServiceSetting } from './update-service-setting.ts'
import { watchCommand } from './watch-command.ts'

export const ssm: OperationTable = {
  AddTagsToResource: addTagsToResource,
  CancelCommand: cancelCommand,
  CreateActivation: createActivation,
  CreateDocument: createDocument,
  DeleteActivation: deleteActivation,
  DeleteDocument: deleteDocument,
  DeleteParameter: deleteParameter,
  DeleteParameters: deleteParameters,
  DeregisterManagedInstance: deregisterManagedInstance,
  DescribeActivations: describeActivations,
  DescribeDocument: describeDocumentOperation,
  DescribeDocumentPermission: describeDocumentPermission,
  DescribeInstanceInformation: describeInstanceInformation,
  DescribeParameters: describeParameters,
  DescribeSessions: describeSessions,
  GetAgentRelease: getAgentRelease,
  GetAgentReleaseFile: getAgentReleaseFile,
  GetCommandInvocation: getCommandInvocation,
  GetCommandOutput: getCommandOutput,
  GetConnectionStatus: getConnectionStatus,
  GetDocument: getDocument,
  GetParameter: getParameter,
  GetParameterHistory: getParameterHistory,
  GetParameters: getParameters,
  GetParametersByPath: getParametersByPath,
  GetServiceSetting: getServiceSetting,
  LabelParameterVersion: labelParameterVersion,
  ListCommandInvocations: listCommandInvocations,
  ListCommands: listCommands,
  ListDocumentVersions: listDocumentVersions,
  ListDocuments: listDocuments,
  ListInstanceAssociations: listInstanceAssociations,
  ListTagsForResource: listTagsForResource,
  ModifyDocumentPermission: modifyDocumentPermission,
  PutParameter: putParameter,
  PutCommandOutput: putCommandOutput,
  RegisterManagedInstance: registerManagedInstance,
  RemoveTagsFromResource: removeTagsFromResource,
  RequestManagedInstanceRoleToken: requestManagedInstanceRoleToken,
  ResetServiceSetting: resetServiceSetting,
  ResumeSession: resumeSession,
  SendCommand: sendCommand,
  StartSession: startSession,
  TerminateSession: terminateSession,
  UnlabelParameterVersion: unlabelParameterVersion,
  UpdateDocument: updateDocument,
  UpdateDocumentDefaultVersion: updateDocumentDefaultVersion,
  UpdateInstanceInformation: updateInstanceInformation,
  UpdateManagedInstancePublicKey: updateManagedInstancePublicKey,
  UpdateManagedInstanceRole: updateManagedInstanceRole,
  UpdateServiceSetting: updateServiceSetting,
  WatchCommand: watchCommand,
}
