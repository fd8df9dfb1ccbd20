import { AwsError } from '@sallyport/protocol/aws/error'
import { parameterArn } from '@sallyport/server/iam/arns'
import type { ParameterSelector } from '@sallyport/server/store/parameters'
import type { OperationContext } from '../../operation.ts'

/** What a reading request names. `suffix` is the selector with its colon, as it was given. */
export type ParameterReference = { name: string; selector?: ParameterSelector; suffix: string }

/** control-plane.md 24 */
const MAXIMUM_LEVELS = 15
/** With the ARN before it (API reference, PutParameter). */
const MAXIMUM_ARN_LENGTH = 1011
const ARN = /^arn:[^:]*:ssm:([^:]*):([^:]*):parameter(\/[^:]*)(:.*)?$/s
const PARTS = /^\/?[a-zA-Z0-9_.-]+(\/[a-zA-Z0-9_.-]+)*$/
/** A longer number is no version of anything. */
const VERSION = /^[0-9]{1,9}$/

/**
 * Reads `name`, `name:version`, `name:label` or an ARN with the same selectors. Undefined for what is of another account
 * or region, which must never stand for the parameter of that name here.
 */
export async function readReference(
  { store, scope }: Pick<OperationContext, 'store' | 'scope'>,
  given: string,
): Promise<ParameterReference | undefined> {
  if (!given.startsWith('arn:')) {
    const colon = given.indexOf(':')
    return colon === -1
      ? { name: given, suffix: '' }
      : { name: given.slice(0, colon), ...readSelector(given.slice(colon)) }
  }
  const [, region, account, path = '', suffix] = ARN.exec(given) ?? []
  if (region !== scope.region || account !== scope.accountId) return undefined
  const selected = suffix === undefined ? { suffix: '' } : readSelector(suffix)
  // The ARNs of `a` and `/a` are the same.
  const plain = path.slice(1)
  const isPlain = !plain.includes('/') && (await store.parameters.get(scope, plain)) !== undefined
  return { name: isPlain ? plain : path, ...selected }
}

function readSelector(suffix: string): Pick<ParameterReference, 'selector' | 'suffix'> {
  const text = suffix.slice(1)
  return { selector: VERSION.test(text) ? Number(text) : text, suffix }
}

/** Throws what AWS says of a name that no parameter can have. */
export function checkNewName(context: OperationContext, name: string): void {
  const [first = ''] = name.replace(/^\//, '').toLowerCase().split('/')
  const isPath = name.lastIndexOf('/') > 0
  if (first.startsWith('aws') && isPath && name.startsWith('/')) {
    throw new AwsError('AccessDeniedException', `No access to reserved parameter name: ${name}.`)
  }
  if (first.startsWith('aws') || first.startsWith('ssm')) {
    throw invalid('Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).')
  }
  if (!PARTS.test(name)) {
    throw invalid(
      "Parameter name: only letters, digits and the symbols .-_ are allowed, and in a path slashes between its parts (such as /Dev/DBServer/MySQL); an ARN isn't a name.",
    )
  }
  if (isPath && !name.startsWith('/')) throw invalid('Parameter name must be a fully qualified name.')
  checkLevels(name)
  if (parameterArn(context, name).length > MAXIMUM_ARN_LENGTH) {
    throw invalid(`Parameter name: with its ARN it can have ${MAXIMUM_ARN_LENGTH} characters at most.`)
  }
}

/** A path without the slash at its end; empty for the root. Throws what AWS says of one that is none. */
export function readPath(path: string): string {
  const trimmed = path === '/' ? '' : path.replace(/\/$/, '')
  if (trimmed !== '' && (!trimmed.startsWith('/') || !PARTS.test(trimmed))) {
    throw invalid(
      'The path must begin with a forward slash "/", and between its slashes use only letters, numbers, and the symbols . (period), - (hyphen), _ (underscore). Valid example: /get/parameters2-/by1./path0_.',
    )
  }
  checkLevels(trimmed)
  return trimmed
}

function checkLevels(name: string): void {
  const levels = name.replace(/^\//, '').split('/').length
  if (levels <= MAXIMUM_LEVELS) return
  throw new AwsError(
    'HierarchyLevelLimitExceededException',
    `A hierarchy can have a maximum of ${MAXIMUM_LEVELS} levels; this one has ${levels}.`,
  )
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message)
}
