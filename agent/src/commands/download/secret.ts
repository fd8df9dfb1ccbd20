import type { ControlPlane } from '../../control-plane.ts'
import { isObject } from '../json.ts'

const SECRET = /^\s*\{\{ *ssm-secure:([/\w.:-]+) *\}\}\s*$/

/** A text, or the SecureString that it refers to as `{{ssm-secure:name}}`: only credentials of downloads may be that. */
export async function resolveSecret(text: string, server: Pick<ControlPlane, 'call'>): Promise<string> {
  const name = SECRET.exec(text)?.[1]
  if (name === undefined) return text
  const answer = await server.call('GetParameters', { Names: [name], WithDecryption: true })
  const [parameter] =
    isObject(answer) && Array.isArray(answer.Parameters) ? (answer.Parameters as unknown[]) : []
  if (!isObject(parameter) || typeof parameter.Value !== 'string')
    throw new Error(`There is no parameter '${name}'.`)
  if (parameter.Type !== 'SecureString') throw new Error(`The parameter '${name}' is no SecureString.`)
  return parameter.Value
}
