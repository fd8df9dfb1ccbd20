import type { Scope } from '../store/schema.ts'

/** Which installation an ARN is of; an OperationContext will do. */
export type Realm = { partition: string; scope: Scope }

// IAM knows no regions (docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html). Paths begin and end
// with a slash.

const iamArn = ({ partition, scope }: Realm, type: string, path: string, name: string) =>
  `arn:${partition}:iam::${scope.accountId}:${type}${path}${name}`

export const userArn = (realm: Realm, path: string, userName: string) => iamArn(realm, 'user', path, userName)

export const groupArn = (realm: Realm, path: string, groupName: string) =>
  iamArn(realm, 'group', path, groupName)

export const roleArn = (realm: Realm, path: string, roleName: string) => iamArn(realm, 'role', path, roleName)

export const policyArn = (realm: Realm, path: string, policyName: string) =>
  iamArn(realm, 'policy', path, policyName)

export const instanceProfileArn = (realm: Realm, path: string, profileName: string) =>
  iamArn(realm, 'instance-profile', path, profileName)

/** A session of a role; the role's path is not part of it (control-plane.md 28). */
export const assumedRoleArn = ({ partition, scope }: Realm, roleName: string, sessionName: string) =>
  `arn:${partition}:sts::${scope.accountId}:assumed-role/${roleName}/${sessionName}`

const regional = ({ partition, scope }: Realm, service: string, resource: string) =>
  `arn:${partition}:${service}:${scope.region}:${scope.accountId}:${resource}`

/** control-plane.md 34.1 */
export const nodeArn = (realm: Realm, nodeId: string) =>
  nodeId.startsWith('i-')
    ? regional(realm, 'ec2', `instance/${nodeId}`)
    : regional(realm, 'ssm', `managed-instance/${nodeId}`)

export const sessionArn = (realm: Realm, sessionId: string) => regional(realm, 'ssm', `session/${sessionId}`)

/** By a document's plain name. Amazon's belong to no account. */
export const documentArn = (realm: Realm, name: string) =>
  name.startsWith('AWS-')
    ? `arn:${realm.partition}:ssm:${realm.scope.region}::document/${name}`
    : regional(realm, 'ssm', `document/${name}`)

/** Between the type and the name there is one slash, whether the name begins with one or not (control-plane.md 24). */
export const parameterArn = (realm: Realm, name: string) =>
  regional(realm, 'ssm', `parameter/${name.startsWith('/') ? name.slice(1) : name}`)

export const serviceSettingArn = (realm: Realm, id: string) =>
  regional(realm, 'ssm', `servicesetting/${id.startsWith('/') ? id.slice(1) : id}`)
