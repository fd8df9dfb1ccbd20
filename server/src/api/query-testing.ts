// What the tests of IAM and EC2 share: both speak the query protocol, and answer in XML.

import { EC2_VERSION } from '@sallyport/protocol/api/ec2'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import type { Answer, ApiForTest } from './testing.ts'

/** What an IAM operation answers; throws if it is an error. */
export async function iam(
  api: ApiForTest,
  action: string,
  input: Record<string, string>,
  credentials: Credentials = api.administrator,
): Promise<string> {
  const { code, message, body } = await api.iam(action, input, credentials)
  if (code !== undefined) throw new Error(`${action}: ${code}: ${message}`)
  return String(body.text)
}

/** An EC2 operation as the aws CLI writes it. */
export async function ec2(
  api: ApiForTest,
  action: string,
  input: Record<string, string>,
  credentials: Credentials = api.administrator,
): Promise<Answer & { text: string }> {
  const answer = await api.query('ec2', { Action: action, Version: EC2_VERSION, ...input }, credentials)
  return { ...answer, text: String(answer.body.text) }
}

/** The content of each element of that name. */
export function elements(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'g'))].map(([, content = '']) => content)
}

/** The content of the first element of that name. */
export function element(xml: string, name: string): string | undefined {
  return elements(xml, name)[0]
}

/** Tags as a query has them; `prefix` such as `Tags.member`. */
export function numberedTags(prefix: string, tags: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tags).flatMap(([key, value], at) => [
      [`${prefix}.${at + 1}.Key`, key],
      [`${prefix}.${at + 1}.Value`, value],
    ]),
  )
}
