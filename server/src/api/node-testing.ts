// Roles for nodes, made as people make them.

import { ec2, element, iam } from './query-testing.ts'
import { type ApiForTest, publicKeyText } from './testing.ts'

const CORE_POLICY = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore'

export type RoleForTest = {
  /** Who may have the role; `ssm.amazonaws.com` unless said. */
  service?: string
  path?: string
  /** ARNs of managed policies; AmazonSSMManagedInstanceCore unless said. */
  policies?: readonly string[]
  /** The document of an inline policy, named `own`. */
  inline?: object
}

/** `aws iam create-role` and `attach-role-policy`. */
export async function createRole(api: ApiForTest, RoleName: string, role: RoleForTest = {}): Promise<void> {
  const { service = 'ssm.amazonaws.com', path = '/', policies = [CORE_POLICY], inline } = role
  const trust = policy({ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' })
  await iam(api, 'CreateRole', { RoleName, Path: path, AssumeRolePolicyDocument: trust })
  for (const PolicyArn of policies) await iam(api, 'AttachRolePolicy', { RoleName, PolicyArn })
  if (inline === undefined) return
  await iam(api, 'PutRolePolicy', { RoleName, PolicyName: 'own', PolicyDocument: policy(inline) })
}

/** An instance profile with a role of its name. */
export async function createProfile(api: ApiForTest, name: string, role: RoleForTest = {}): Promise<void> {
  await createRole(api, name, { service: 'ec2.amazonaws.com', ...role })
  await iam(api, 'CreateInstanceProfile', { InstanceProfileName: name })
  await iam(api, 'AddRoleToInstanceProfile', { InstanceProfileName: name, RoleName: name })
}

export function policy(statement: object): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
}

/** Registers an instance, with an activation of its own. */
export async function createInstance(api: ApiForTest, activation: object = {}): Promise<string> {
  const { ActivationId, ActivationCode } = await api.ok('CreateActivation', {
    IamRole: 'SSMServiceRole',
    ...activation,
  })
  const { body, code } = await api.anonymous('RegisterManagedInstance', {
    ActivationId,
    ActivationCode,
    Fingerprint: 'fingerprint',
    PublicKey: publicKeyText,
    PublicKeyType: 'Rsa',
    AsInstance: true,
  })
  if (code !== undefined) throw new Error(code)
  return String(body.InstanceId)
}

/** Associates a profile; answers the association's id. */
export async function associate(api: ApiForTest, instanceId: string, profile: string): Promise<string> {
  const input = { InstanceId: instanceId, 'IamInstanceProfile.Name': profile }
  const { text, code, message } = await ec2(api, 'AssociateIamInstanceProfile', input)
  if (code !== undefined) throw new Error(`${code}: ${message}`)
  return element(text, 'associationId') ?? ''
}
