import { type Infer, s } from '../aws/shape.ts'
import { maxResults, nextToken, type Timestamp } from './ssm-types.ts'
import { type Tag, tags } from './tags.ts'

// control-plane.md 22. Names are read as ARNs too, but written only as names.

const name = s.string({ pattern: '^[a-zA-Z0-9_\\-.]{3,128}$' })
const nameOrArn = s.string({ pattern: '^[a-zA-Z0-9_\\-.:/]{3,128}$' })
const version = s.string({ max: 20, pattern: '([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)' })
const versionName = s.string({ pattern: '^[a-zA-Z0-9_\\-.]{1,128}$' })
const format = s.string({ enum: ['YAML', 'JSON', 'TEXT'] })
// The quota of 64 KB is its own error, MaxDocumentSizeExceeded.
const content = s.string({ min: 1 })
const displayName = s.string({ max: 1024, pattern: '^[\\w\\.\\-\\:\\/ ]*$' })
const targetType = s.string({ max: 200, pattern: '^\\/[\\w\\.\\-\\:\\/]*$' })

export const documentTypes = [
  'Command',
  'Policy',
  'Automation',
  'Session',
  'Package',
  'ApplicationConfiguration',
  'ApplicationConfigurationSchema',
  'DeploymentStrategy',
  'ChangeCalendar',
  'Automation.ChangeTemplate',
  'ProblemAnalysis',
  'ProblemAnalysisTemplate',
  'CloudFormation',
  'ConformancePackTemplate',
  'QuickSetup',
  'ManualApprovalPolicy',
  'AutoApprovalPolicy',
] as const

const attachments = s.list(
  s.structure({
    Key: s.string({ enum: ['SourceUrl', 'S3FileUrl', 'AttachmentReference'] }),
    Values: s.list(s.string({ min: 1, max: 1024 }), { min: 1, max: 1 }),
    Name: s.string({ pattern: '^[a-zA-Z0-9_\\-.]{3,128}$' }),
  }),
  { max: 20 },
)

const requires = s.list(
  s.structure(
    {
      Name: nameOrArn,
      Version: version,
      RequireType: s.string({ max: 128, pattern: '^[a-zA-Z0-9_\\-.]{1,128}$' }),
      VersionName: versionName,
    },
    { required: ['Name'] },
  ),
  { min: 1 },
)

const createDocument = s.structure(
  {
    Content: content,
    Requires: requires,
    Attachments: attachments,
    Name: name,
    DisplayName: displayName,
    VersionName: versionName,
    DocumentType: s.string({ enum: documentTypes }),
    DocumentFormat: format,
    TargetType: targetType,
    Tags: tags,
  },
  { required: ['Content', 'Name'] },
)

const updateDocument = s.structure(
  {
    Content: content,
    Attachments: attachments,
    Name: name,
    DisplayName: displayName,
    VersionName: versionName,
    DocumentVersion: version,
    DocumentFormat: format,
    TargetType: targetType,
  },
  { required: ['Content', 'Name'] },
)

const updateDocumentDefaultVersion = s.structure(
  { Name: name, DocumentVersion: s.string({ max: 20, pattern: '(^[1-9][0-9]*$)' }) },
  { required: ['Name', 'DocumentVersion'] },
)

const getDocument = s.structure(
  { Name: nameOrArn, VersionName: versionName, DocumentVersion: version, DocumentFormat: format },
  { required: ['Name'] },
)

const describeDocument = s.structure(
  { Name: nameOrArn, DocumentVersion: version, VersionName: versionName },
  { required: ['Name'] },
)

const listDocuments = s.structure({
  DocumentFilterList: s.list(
    s.structure(
      {
        key: s.string({ enum: ['Name', 'Owner', 'PlatformTypes', 'DocumentType'] }),
        value: s.string({ min: 1, max: 1024 }),
      },
      { required: ['key', 'value'] },
    ),
    { min: 1 },
  ),
  Filters: s.list(
    s.structure({
      Key: s.string({ min: 1, max: 128 }),
      Values: s.list(s.string({ min: 1, max: 256 })),
    }),
    { max: 6 },
  ),
  MaxResults: maxResults,
  NextToken: nextToken,
})

const listDocumentVersions = s.structure(
  { Name: nameOrArn, MaxResults: maxResults, NextToken: nextToken },
  { required: ['Name'] },
)

const deleteDocument = s.structure(
  { Name: name, DocumentVersion: version, VersionName: versionName, Force: s.boolean() },
  { required: ['Name'] },
)

// A type that does not exist is its own error, InvalidPermissionType.
const permissionType = s.string({ min: 1, max: 128 })
const accountIds = s.list(s.string({ pattern: '[aA][lL][lL]|[0-9]{12}' }), { max: 20 })

const modifyDocumentPermission = s.structure(
  {
    Name: name,
    PermissionType: permissionType,
    AccountIdsToAdd: accountIds,
    AccountIdsToRemove: accountIds,
    SharedDocumentVersion: s.string({ max: 8, pattern: '([$]LATEST|[$]DEFAULT|[$]ALL|^[1-9][0-9]*$)' }),
  },
  { required: ['Name', 'PermissionType'] },
)

const describeDocumentPermission = s.structure(
  {
    Name: name,
    PermissionType: permissionType,
    MaxResults: s.integer({ min: 1, max: 200 }),
    NextToken: nextToken,
  },
  { required: ['Name', 'PermissionType'] },
)

export const documentOperations = {
  CreateDocument: { input: createDocument },
  UpdateDocument: { input: updateDocument },
  UpdateDocumentDefaultVersion: { input: updateDocumentDefaultVersion },
  GetDocument: { input: getDocument },
  DescribeDocument: { input: describeDocument },
  ListDocuments: { input: listDocuments },
  ListDocumentVersions: { input: listDocumentVersions },
  DeleteDocument: { input: deleteDocument },
  ModifyDocumentPermission: { input: modifyDocumentPermission },
  DescribeDocumentPermission: { input: describeDocumentPermission },
} as const

export type CreateDocumentInput = Infer<typeof createDocument>
export type UpdateDocumentInput = Infer<typeof updateDocument>
export type UpdateDocumentDefaultVersionInput = Infer<typeof updateDocumentDefaultVersion>
export type GetDocumentInput = Infer<typeof getDocument>
export type DescribeDocumentInput = Infer<typeof describeDocument>
export type ListDocumentsInput = Infer<typeof listDocuments>
export type ListDocumentVersionsInput = Infer<typeof listDocumentVersions>
export type DeleteDocumentInput = Infer<typeof deleteDocument>
export type ModifyDocumentPermissionInput = Infer<typeof modifyDocumentPermission>
export type DescribeDocumentPermissionInput = Infer<typeof describeDocumentPermission>

export type DocumentType = (typeof documentTypes)[number]
export type DocumentFormat = Infer<typeof format>
export type DocumentStatus = 'Creating' | 'Active' | 'Updating' | 'Deleting' | 'Failed'
export type DocumentRequires = NonNullable<CreateDocumentInput['Requires']>[number]

export type DocumentParameter = {
  readonly Name: string
  /** AWS's model has the first two; those of command documents are named all the same. */
  readonly Type: 'String' | 'StringList' | 'Boolean' | 'Integer' | 'StringMap' | 'MapList'
  readonly Description?: string | undefined
  readonly DefaultValue?: string | undefined
}

/** What the descriptions and listings of a document have in common. */
type DocumentSummary = {
  readonly Name: string
  readonly DisplayName?: string | undefined
  readonly VersionName?: string | undefined
  readonly DocumentVersion: string
  readonly DocumentFormat: DocumentFormat
  readonly CreatedDate: Timestamp
}

export type DocumentIdentifier = DocumentSummary & {
  /** An account id, or `Amazon`. */
  readonly Owner: string
  readonly DocumentType: DocumentType
  readonly SchemaVersion: string
  readonly PlatformTypes?: readonly string[] | undefined
  readonly TargetType?: string | undefined
  readonly Tags?: readonly Tag[] | undefined
  readonly Requires?: readonly DocumentRequires[] | undefined
  readonly Author?: string | undefined
}

export type DocumentDescription = DocumentIdentifier & {
  readonly Sha1: string
  readonly Hash: string
  readonly HashType: 'Sha256'
  readonly Status: DocumentStatus
  readonly StatusInformation?: string | undefined
  readonly Description?: string | undefined
  readonly Parameters?: readonly DocumentParameter[] | undefined
  readonly LatestVersion: string
  readonly DefaultVersion: string
}

export type DocumentVersionInfo = DocumentSummary & {
  readonly IsDefaultVersion: boolean
  readonly Status: DocumentStatus
}

export type GetDocumentOutput = DocumentSummary & {
  readonly Status: DocumentStatus
  readonly StatusInformation?: string | undefined
  /** In the format asked for. */
  readonly Content: string
  readonly DocumentType: DocumentType
  readonly Requires?: readonly DocumentRequires[] | undefined
}

/** Of CreateDocument and UpdateDocument. */
export type CreateDocumentOutput = { readonly DocumentDescription: DocumentDescription }

export type DescribeDocumentOutput = { readonly Document: DocumentDescription }

export type UpdateDocumentDefaultVersionOutput = {
  readonly Description: {
    readonly Name: string
    readonly DefaultVersion: string
    readonly DefaultVersionName?: string | undefined
  }
}

export type ListDocumentsOutput = {
  readonly DocumentIdentifiers: readonly DocumentIdentifier[]
  readonly NextToken?: string | undefined
}

export type ListDocumentVersionsOutput = {
  readonly DocumentVersions: readonly DocumentVersionInfo[]
  readonly NextToken?: string | undefined
}

export type DescribeDocumentPermissionOutput = {
  readonly AccountIds: readonly string[]
  readonly AccountSharingInfoList: ReadonlyArray<{
    readonly AccountId: string
    readonly SharedDocumentVersion: string
  }>
  readonly NextToken?: string | undefined
}
