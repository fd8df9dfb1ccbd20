// What the tests of hostile people share: policies, people who have nothing else, and how they ask.

import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { type Answer, type ApiForTest, HOST, openApi, read } from './testing.ts'

export const ACCOUNT = 'arn:aws:iam::123456789012'
export const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess'

type Statement = {
  Effect?: string
  Action: string | string[]
  Resource?: string | string[]
  Condition?: object
}
type Input = Record<string, string>

export function document(...statements: Statement[]): string {
  const Statement = statements.map(each => ({ Effect: 'Allow', Resource: '*', ...each }))
  return JSON.stringify({ Version: '2012-10-17', Statement })
}

export function trusting(Principal: object): string {
  const Statement = { Effect: 'Allow', Principal, Action: ['sts:AssumeRole', 'sts:TagSession'] }
  return JSON.stringify({ Version: '2012-10-17', Statement })
}

/** As IAM and STS take tags. */
export const tags = (list: Input): Input =>
  Object.fromEntries(
    Object.entries(list).flatMap(([key, value], i) => [
      [`Tags.member.${i + 1}.Key`, key],
      [`Tags.member.${i + 1}.Value`, value],
    ]),
  )

const VERSIONS = { ec2: '2016-11-15', sts: '2011-06-15' }

export class HostileApi {
  readonly api: ApiForTest
  /** The name of whoever `mallory` made last. */
  name = ''
  #people = 0

  constructor(api: ApiForTest) {
    this.api = api
  }

  static async open(): Promise<HostileApi> {
    return new HostileApi(await openApi())
  }

  /** Somebody who may do what is said, and lives below `/dev/`. */
  mallory(...statements: Statement[]): Promise<Credentials> {
    this.name = `mallory-${++this.#people}`
    return this.api.user(this.name, { policies: [document(...statements)], path: '/dev/' })
  }

  /** The answer of IAM; throws if it is an error. */
  async ok(action: string, input: Input, who?: Credentials): Promise<Answer> {
    const answer = await this.api.iam(action, input, who)
    if (answer.status !== 200) throw new Error(`${action}: ${answer.code}: ${answer.message}`)
    return answer
  }

  /** The code of the error that IAM answers; empty if it answers none. */
  async iam(action: string, input: Input, who: Credentials): Promise<string> {
    return (await this.api.iam(action, input, who)).code ?? ''
  }

  /** A form as it stands. */
  async form(service: 'iam' | 'sts' | 'ec2', body: string, who: Credentials): Promise<Answer> {
    const headers: Array<[string, string]> = [
      ['Host', HOST],
      ['Content-Type', 'application/x-www-form-urlencoded'],
    ]
    const request = this.api.request({ headers, body: Buffer.from(body) })
    return read(await this.api.handle(this.api.signed(request, who, { service })))
  }

  query(service: 'sts' | 'ec2', Action: string, input: Input, who: Credentials): Promise<Answer> {
    const form = new URLSearchParams({ Action, Version: VERSIONS[service], ...input })
    return this.form(service, form.toString(), who)
  }

  /** Credentials of a role; throws if it is refused. */
  async assumed(input: Input, who: Credentials): Promise<Credentials> {
    const { status, message, body } = await this.query(
      'sts',
      'AssumeRole',
      { RoleSessionName: 'session', ...input },
      who,
    )
    if (status !== 200) throw new Error(message)
    const element = (name: string) =>
      new RegExp(`<${name}>(.*?)</${name}>`).exec(String(body.text))?.[1] ?? ''
    return {
      accessKeyId: element('AccessKeyId'),
      secretAccessKey: element('SecretAccessKey'),
      sessionToken: element('SessionToken'),
    }
  }
}
