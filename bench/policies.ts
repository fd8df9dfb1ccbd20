import type { NamedPolicy, PolicySet } from '@sallyport/server/iam/policy/decision'
import { evaluate } from '@sallyport/server/iam/policy/evaluate'
import { parsePolicy } from '@sallyport/server/iam/policy/parse'
import { figure, median, printTable } from './table.ts'

const POLICIES = 10
const STATEMENTS = 20
const RUNS = 7
const RUN_MS = 300
const MS_PER_SECOND = 1_000
/** Between looks at the clock. */
const BATCH = 50

const ACCOUNT = '123456789012'
const NODE = `arn:aws:ssm:eu-central-1:${ACCOUNT}:managed-instance/mi-0123456789abcdef0`

/** What ordinary policies ask for: tags, addresses, dates, one's own name. In turns. */
const CONDITIONS = [
  { StringEquals: { 'aws:ResourceTag/team': '${aws:PrincipalTag/team}' } },
  { StringLike: { 'ssm:resourceTag/env': ['dev*', 'test*'] } },
  { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] } },
  { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } },
  { DateLessThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' }, Null: { 'aws:TokenIssueTime': 'true' } },
]

/** Half of the statements are about other actions, one in four is about the node; none of the denies holds. */
function documentOf(policy: number): string {
  const Statement = Array.from({ length: STATEMENTS }, (_, index) => {
    const number = policy * STATEMENTS + index
    const condition = CONDITIONS[(index / 2) % CONDITIONS.length]
    const starts = index % 2 === 0
    const node = index % 4 === 0 ? 'mi-*' : `mi-${number}*`
    return {
      Sid: `S${number}`,
      Effect: index % 10 === 9 ? 'Deny' : 'Allow',
      Action: starts
        ? ['ssm:StartSession', 'ssm:Terminate*']
        : ['ssm:Describe*', 'ec2:Describe*', 'iam:Get*'],
      Resource: [
        `arn:aws:ssm:*:${ACCOUNT}:managed-instance/${node}`,
        `arn:aws:ssm:*:*:session/\${aws:username}-${number}-*`,
      ],
      ...(condition === undefined ? {} : { Condition: condition }),
    }
  })
  return JSON.stringify({ Version: '2012-10-17', Statement }, null, 2)
}

const CONTEXT = new Map([
  ['aws:username', ['alice']],
  ['aws:principaltag/team', ['web']],
  ['aws:resourcetag/team', ['db']],
  ['ssm:resourcetag/env', ['prod']],
  ['aws:sourceip', ['192.0.2.10']],
  ['aws:currenttime', ['2026-11-21T12:00:00Z']],
  ['ssm:sessiondocumentaccesscheck', ['false']],
])

/** One core, nothing but the engine: no store, no cache, no signature. */
export async function benchPolicies(): Promise<void> {
  const documents = Array.from({ length: POLICIES }, (_, index) => documentOf(index))
  const set: PolicySet = { identity: documents.map(named) }
  const request = { action: 'ssm:StartSession', resource: NODE, context: CONTEXT }
  const office = new Map([...CONTEXT, ['aws:sourceip', ['10.1.2.3']]] as const)
  const session = (number: number) => `arn:aws:ssm:eu-central-1:${ACCOUNT}:session/alice-${number}-0a1b`
  const last = (POLICIES - 1) * STATEMENTS + 4
  const decisions = {
    'allowed, by the first policy': { ...request, context: office },
    'allowed, by the last policy, a variable': { ...request, resource: session(last), context: office },
    'denied, 50 conditions asked': request,
    'denied, 100 variables filled in': { ...request, resource: session(-1) },
    'denied, no statement for the action': { ...request, action: 'sts:AssumeRole' },
  }
  const rows = Object.entries(decisions).map(([name, asked]) => {
    const expected = name.startsWith('allowed')
    if (evaluate(set, asked).allowed !== expected) throw new Error(`not as expected: ${name}`)
    return row(name, () => evaluate(set, asked))
  })
  const title = `Decisions, ${POLICIES} policies of ${STATEMENTS} statements, one core`
  printTable(title, ['', 'a second', 'µs each', 'slowest run'], rows)
  let next = 0
  const parsed = row('parse and compile one policy', () => named(documents[next++ % POLICIES] ?? ''))
  const characters = documents[0]?.length ?? 0
  printTable(`Policies of ${characters} characters`, ['', 'a second', 'µs each', 'slowest run'], [parsed])
}

function named(document: string): NamedPolicy {
  return { name: 'bench', sourceType: 'user-managed', policy: parsePolicy(document, 'identity') }
}

function row(name: string, work: () => unknown): string[] {
  run(work)
  const rates = Array.from({ length: RUNS }, () => run(work))
  const rate = median(rates)
  return [name, figure(rate), figure(1e6 / rate), figure(Math.min(...rates))]
}

/** How often in a second. */
function run(work: () => unknown): number {
  const started = performance.now()
  let count = 0
  let spent = 0
  while (spent < RUN_MS) {
    for (let index = 0; index < BATCH; index++) work()
    count += BATCH
    spent = performance.now() - started
  }
  return (count * MS_PER_SECOND) / spent
}
