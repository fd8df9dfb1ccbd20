import { BadValue, quoted } from './malformed.ts'
import { at, each, fault, located, type Place, textOf } from './place.ts'
import type { PrincipalList } from './policy.ts'

const ACCOUNT = /^\d{12}$/
const ROOT = /^arn:[a-z-]+:iam::(\d{12}):root$/
const PERSON =
  /^arn:[a-z-]+:(?:iam::\d{12}:(?:user|role)|sts::\d{12}:(?:assumed-role|federated-user))\/[^\s*?]+$/
const SERVICE = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/
const KINDS = ['AWS', 'Service', 'Federated']

type Draft = { accounts: string[]; arns: string[]; services: string[]; everybody: boolean }

/** Principal or NotPrincipal of a trust policy. Throws PolicyFault. */
export function readPrincipals(place: Place, except: boolean): PrincipalList {
  const { node } = place
  const draft: Draft = { accounts: [], arns: [], services: [], everybody: false }
  if (node.kind === 'string') {
    if (node.text !== '*') {
      throw fault(place, `is ${quoted(node.text)}: expected "*" or {"AWS": …} or {"Service": …}`)
    }
    return { ...draft, except, everybody: true }
  }
  if (node.kind !== 'object') throw fault(place, 'is neither "*" nor a JSON object')
  if (node.members.size === 0) throw fault(place, 'is empty')
  for (const [kind, { value }] of node.members) {
    if (!KINDS.includes(kind)) {
      throw fault(at(place, kind, value), `is of no kind of principal: expected ${KINDS.join(', ')}`)
    }
    for (const entry of each(at(place, kind, value))) {
      const text = textOf(entry)
      located(entry, text, () => add(draft, kind, text))
    }
  }
  return { ...draft, except }
}

/** Nobody comes from an identity provider yet: `Federated` matches nobody. */
function add(draft: Draft, kind: string, text: string) {
  if (kind === 'Federated') return
  if (kind === 'Service') {
    if (!SERVICE.test(text)) {
      throw new BadValue('expected the name of a service, such as ssm.amazonaws.com')
    }
    draft.services.push(text)
    return
  }
  const account = ACCOUNT.test(text) ? text : ROOT.exec(text)?.[1]
  if (text === '*') draft.everybody = true
  else if (account !== undefined) draft.accounts.push(account)
  else if (PERSON.test(text)) draft.arns.push(text)
  else throw new BadValue(expectedPrincipal(text))
}

function expectedPrincipal(text: string): string {
  if (/[*?]/.test(text))
    return 'a wildcard cannot be part of a principal; put a condition on aws:PrincipalArn'
  return 'expected an account id, or the ARN of an account, user, role or assumed role'
}
