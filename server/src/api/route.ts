import { EC2_VERSION } from '@sallyport/protocol/api/ec2'
import { EC2MESSAGES_TARGET_PREFIX } from '@sallyport/protocol/api/ec2messages'
import { IAM_VERSION } from '@sallyport/protocol/api/iam'
import { SSM_TARGET_PREFIX } from '@sallyport/protocol/api/ssm'
import { STS_VERSION } from '@sallyport/protocol/api/sts'
import { AwsError, authenticationError, type WireProtocol } from '@sallyport/protocol/aws/error'
import { decodeJsonBody } from '@sallyport/protocol/aws/json'
import { decodeQuery } from '@sallyport/protocol/aws/query'
import { headerValues } from '@sallyport/protocol/aws/sigv4-canonical'
import { decodeUtf8 } from '@sallyport/protocol/bytes'
import type { ApiRequest } from './request.ts'

/** What a request asks for, found without believing anything in it (control-plane.md 16). */
export type Route = {
  wire: WireProtocol
  /** Signing name of the service. */
  service: string
  operation: string
  /** From the path, where the protocol puts part of the input there. */
  pathInput: Record<string, string>
}

const TARGETS: Readonly<Record<string, string>> = {
  [SSM_TARGET_PREFIX]: 'ssm',
  [EC2MESSAGES_TARGET_PREFIX]: 'ec2messages',
}
const QUERY_VERSIONS: Readonly<Record<string, { wire: 'query' | 'ec2'; service: string }>> = {
  [EC2_VERSION]: { wire: 'ec2', service: 'ec2' },
  [IAM_VERSION]: { wire: 'query', service: 'iam' },
  [STS_VERSION]: { wire: 'query', service: 'sts' },
}
const CHANNEL_PATH = /^\/v1\/(control|data)-channel\/([^/]{1,200})$/

export function routeOf(request: ApiRequest): Route {
  const channel = CHANNEL_PATH.exec(request.path)
  if (channel !== null) return channelRoute(request, channel[1] ?? '', channel[2] ?? '')
  const [target] = headerValues(request, 'x-amz-target')
  return target === undefined ? queryRoute(request) : targetRoute(target)
}

function targetRoute(target: string): Route {
  const dot = target.lastIndexOf('.')
  const prefix = target.slice(0, Math.max(dot, 0))
  const service = Object.hasOwn(TARGETS, prefix) ? TARGETS[prefix] : undefined
  const operation = target.slice(dot + 1)
  if (service === undefined) throw unknownOperation('awsJson', operation)
  return { wire: 'awsJson', service, operation, pathInput: {} }
}

function queryRoute(request: ApiRequest): Route {
  const form = queryForm(request)
  const operation = form.get('Action')
  if (operation === null) {
    throw new AwsError(
      'UnknownOperationException',
      'This is a Sallyport server. Requests name their operation in an X-Amz-Target header or an Action parameter, as the aws CLI does.',
      { status: 404 },
    )
  }
  const version = form.get('Version') ?? ''
  const service = Object.hasOwn(QUERY_VERSIONS, version) ? QUERY_VERSIONS[version] : undefined
  if (service === undefined) throw unknownOperation('query', operation)
  return { ...service, operation, pathInput: {} }
}

function channelRoute(request: ApiRequest, kind: string, id: string): Route {
  if (request.method !== 'POST') throw unknownOperation('restXml', `${request.method} ${request.path}`)
  const operation = kind === 'control' ? 'CreateControlChannel' : 'CreateDataChannel'
  return { wire: 'restXml', service: 'ssmmessages', operation, pathInput: { ChannelId: decodeId(id) } }
}

function decodeId(id: string): string {
  try {
    return decodeURIComponent(id)
  } catch {
    throw unknownOperation('restXml', id)
  }
}

export function unknownOperation(wire: WireProtocol, operation: string): AwsError {
  const name = operation.slice(0, 128)
  return authenticationError(
    'unknown-operation',
    wire,
    `This version of Sallyport has no operation '${name}'.`,
  )
}

/** The input as the client wrote it, to be checked against the operation's shape. */
export function inputOf(request: ApiRequest, route: Route): unknown {
  if (route.wire === 'query' || route.wire === 'ec2') {
    const { Action: _a, Version: _v, ...input } = decodeQuery(formText(request))
    return input
  }
  const body = decodeJsonBody(request.body)
  return typeof body === 'object' && body !== null && !Array.isArray(body)
    ? { ...body, ...route.pathInput }
    : body
}

function queryForm(request: ApiRequest): URLSearchParams {
  return new URLSearchParams(formText(request))
}

/** STS also takes GET with everything in the query string. */
function formText(request: ApiRequest): string {
  return request.method === 'GET' ? request.query : decodeUtf8(request.body)
}
