import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import { text } from 'node:stream/consumers'
import { type Credentials, type HttpRequest, signRequest } from '@sallyport/protocol/aws/sigv4'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { type Stack, startStack } from '../e2e/stack.ts'
import { figure, median, printTable } from './table.ts'

const POLICIES = 10
const STATEMENTS = 20
const CONNECTIONS = 16
const ROUNDS = 5
const ROUND_MS = 3_000
const USER = 'bench-api'
const REGION = 'us-east-1'
/** USER_HZ, in which proc_pid_stat(5) counts; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

type Answer = { status: number; body: string }
type Caller = (service: string, headers: Array<[string, string]>, body: string) => Promise<Answer>
type Round = { requests: number; seconds: number; cpuSeconds: number }

/**
 * What a request to the API costs the server: GetConnectionStatus, signed, by a user with many policies, over
 * connections that are kept. The rate on one core is requests by the server's CPU time: the load is made here, on the same
 * machine.
 */
export async function benchApi(): Promise<void> {
  await using stack = await startStack({ nodes: 0 })
  const administrator = administratorOf(stack)
  const target = 'mi-0123456789abcdef0'
  const user = await createUser(callerOf(stack.httpEndpoint, administrator), target)
  const rows: string[][] = []
  for (const endpoint of [stack.httpEndpoint, stack.endpoint]) {
    const call = callerOf(endpoint, user, readFileSync(stack.caFile, 'utf8'))
    await measure(call, target, stack.server.pid)
    const rounds: Round[] = []
    while (rounds.length < ROUNDS) rounds.push(await measure(call, target, stack.server.pid))
    const each = (value: (round: Round) => number) => figure(median(rounds.map(value)))
    rows.push([
      new URL(endpoint).protocol.replace(':', ''),
      each(({ requests, seconds }) => requests / seconds),
      each(({ requests, cpuSeconds }) => (cpuSeconds / requests) * 1_000_000),
      each(({ requests, cpuSeconds }) => requests / cpuSeconds),
    ])
  }
  printTable(
    `GetConnectionStatus by a user with ${POLICIES} policies of ${STATEMENTS} statements, ${CONNECTIONS} connections`,
    ['', 'requests/s here', 'CPU µs each', 'requests/s on one core'],
    rows,
  )
}

async function measure(call: Caller, target: string, pid: number): Promise<Round> {
  const cpu = cpuSecondsOf(pid)
  const began = performance.now()
  let requests = 0
  const run = async () => {
    while (performance.now() - began < ROUND_MS) {
      await connectionStatus(call, target)
      requests++
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, run))
  const seconds = (performance.now() - began) / 1000
  return { requests, seconds, cpuSeconds: cpuSecondsOf(pid) - cpu }
}

async function connectionStatus(call: Caller, target: string): Promise<void> {
  const { status, body } = await call(
    'ssm',
    [
      ['content-type', 'application/x-amz-json-1.1'],
      ['x-amz-target', 'AmazonSSM.GetConnectionStatus'],
    ],
    JSON.stringify({ Target: target }),
  )
  if (status !== 200) throw new Error(`GetConnectionStatus: ${status} ${body}`)
}

/** User and system time of a process, all of its threads. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

function administratorOf({ env }: Stack): Credentials {
  return { accessKeyId: env.AWS_ACCESS_KEY_ID ?? '', secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '' }
}

async function createUser(call: Caller, target: string): Promise<Credentials> {
  const iam = async (Action: string, input: Record<string, string>) => {
    const form = new URLSearchParams({ Action, Version: '2010-05-08', ...input })
    const type = 'application/x-www-form-urlencoded; charset=utf-8'
    const { status, body } = await call('iam', [['content-type', type]], form.toString())
    if (status !== 200) throw new Error(`${Action}: ${status} ${body}`)
    return (element: string) => new RegExp(`<${element}>([^<]+)</${element}>`).exec(body)?.[1] ?? ''
  }
  await iam('CreateUser', { UserName: USER })
  for (let i = 1; i <= POLICIES; i++) {
    const PolicyName = `${USER}-${i}`
    const PolicyDocument = policy(i === POLICIES ? target : undefined)
    const read = await iam('CreatePolicy', { PolicyName, PolicyDocument })
    await iam('AttachUserPolicy', { UserName: USER, PolicyArn: read('Arn') })
  }
  const read = await iam('CreateAccessKey', { UserName: USER })
  return { accessKeyId: read('AccessKeyId'), secretAccessKey: read('SecretAccessKey') }
}

/** Statements as people write them. Only the last allows what is measured, and only if there is a target. */
function policy(target: string | undefined): string {
  const arn = (resource: string) => `arn:aws:ssm:${REGION}:*:${resource}`
  const statements = Array.from({ length: STATEMENTS }, (_, i) => ({
    Effect: i % 5 === 4 ? 'Deny' : 'Allow',
    Action: ['ssm:StartSession', i % 2 === 0 ? 'ssm:Get*' : 'ssm:Describe*'],
    Resource: [arn(`managed-instance/mi-team-${i}-*`), arn(`document/team-${i}`)],
    Condition: { StringEquals: { [`ssm:resourceTag/team-${i}`]: '${aws:PrincipalTag/team}' } },
  }))
  const last = {
    Effect: 'Allow',
    Action: 'ssm:GetConnectionStatus',
    Resource: arn(`managed-instance/${target}`),
  }
  const all = target === undefined ? statements : [...statements.slice(1), last]
  return JSON.stringify({ Version: '2012-10-17', Statement: all })
}

function callerOf(endpoint: string, credentials: Credentials, ca?: string): Caller {
  const url = new URL(endpoint)
  const secure = url.protocol === 'https:'
  const options = { keepAlive: true, maxSockets: CONNECTIONS }
  const agent = secure ? new https.Agent({ ...options, ...(ca && { ca }) }) : new http.Agent(options)
  const begin = secure ? https.request : http.request
  return async (service, headers, body) => {
    const bytes = Buffer.from(body)
    const unsigned: HttpRequest = {
      method: 'POST',
      path: '/',
      query: '',
      headers: [['host', url.host], ...headers],
      body: bytes,
    }
    const signature = signRequest(nodeCrypto, unsigned, credentials, { region: REGION, service }, Date.now())
    const all = Object.fromEntries([...unsigned.headers, ...signature])
    return await new Promise<Answer>((resolve, reject) => {
      const request = begin(url, { method: 'POST', agent, headers: all }, response => {
        text(response).then(body => resolve({ status: response.statusCode ?? 0, body }), reject)
      })
      request.on('error', reject)
      request.end(bytes)
    })
  }
}
