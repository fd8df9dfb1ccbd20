import { IAM_XMLNS } from '@sallyport/protocol/api/iam'
import { CREATE_CHANNEL_STATUS } from '@sallyport/protocol/api/ssmmessages'
import { STS_XMLNS } from '@sallyport/protocol/api/sts'
import type { AwsError, WireProtocol } from '@sallyport/protocol/aws/error'
import { type Encoded, encodeJsonError, encodeJsonResponse } from '@sallyport/protocol/aws/json'
import {
  encodeEc2Error,
  encodeEc2Response,
  encodeQueryError,
  encodeQueryResponse,
} from '@sallyport/protocol/aws/query'
import { encodeXmlError } from '@sallyport/protocol/aws/xml'
import { utf8 } from '@sallyport/protocol/bytes'
import type { Route } from './route.ts'

/** An answer that is not JSON or XML made from an object: the message gateway's own. */
export type RawXml = { xml: string }

export function encodeOutput(route: Route, output: object, requestId: string): Encoded {
  switch (route.wire) {
    case 'awsJson':
      return encodeJsonResponse(output, requestId)
    case 'query':
      return encodeQueryResponse(route.operation, xmlns(route), result(output), requestId)
    case 'ec2':
      return encodeEc2Response(route.operation, output, requestId)
    case 'restXml':
      return {
        status: CREATE_CHANNEL_STATUS,
        headers: { 'content-type': 'application/xml', 'x-amzn-requestid': requestId },
        body: utf8((output as RawXml).xml),
      }
    default:
      throw new Error(`no operation answers in ${route.wire}`)
  }
}

function xmlns(route: Route): string {
  return route.service === 'iam' ? IAM_XMLNS : STS_XMLNS
}

/** An operation without output has no `…Result` element (control-plane.md 29). */
function result(output: object): object | undefined {
  return Object.keys(output).length === 0 ? undefined : output
}

export function encodeError(route: Route | undefined, error: AwsError, requestId: string): Encoded {
  const wire: WireProtocol = route?.wire ?? 'awsJson'
  switch (wire) {
    case 'awsJson':
    case 'restJson':
      return encodeJsonError(error, requestId, wire)
    case 'ec2':
      return encodeEc2Error(error, requestId)
    case 'query':
      return encodeQueryError(error, route === undefined ? STS_XMLNS : xmlns(route), requestId)
    case 'restXml':
      return encodeXmlError(error, requestId)
    default:
      return wire satisfies never
  }
}
