import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest
let node: string
let alice: Credentials

beforeAll(async () => {
  api = await openApi()
  node = await api.onlineNode()
  alice = await api.user('alice')
})
afterAll(() => api.dispose())
const startAs = async (credentials = api.administrator, input: object = {}) =>
  await api.ok('StartSession', { Target: node, ...input }, credentials)

describe('DescribeSessions', () => {
  const ids = (body: Record<string, unknown>) =>
    (body.Sessions as Array<{ SessionId: string }>).map(s => s.SessionId)

  test('goes through all of them, newest first, page by page', async () => {
    const target = await api.onlineNode()
    const started: unknown[] = []
    for (let i = 0; i < 7; i++) {
      api.now += 1000
      started.unshift((await api.ok('StartSession', { Target: target })).SessionId)
    }
    const found: string[] = []
    let NextToken: unknown
    let pages = 0
    do {
      const Filters = [{ key: 'Target', value: target }]
      const page = await api.ok('DescribeSessions', {
        State: 'Active',
        MaxResults: 3,
        Filters,
        ...(NextToken !== undefined && { NextToken }),
      })
      found.push(...ids(page))
      NextToken = page.NextToken
      pages++
    } while (NextToken !== undefined)
    expect(found).toEqual(started)
    expect(pages).toBe(3)
  })

  test('knows every filter, alone and together', async () => {
    const target = await api.onlineNode()
    api.now += 60_000
    const { SessionId } = await api.ok('StartSession', { Target: target }, alice)
    const { SessionId: ended } = await api.ok('StartSession', { Target: target })
    await api.ok('TerminateSession', { SessionId: ended })
    const at = (ms: number) => new Date(api.now + ms).toISOString()
    const cases: Array<[string, Array<[string, string]>, unknown[]]> = [
      ['Active', [['SessionId', String(SessionId)]], [SessionId]],
      ['Active', [['Target', target]], [SessionId]],
      ['History', [['Target', target]], [ended]],
      [
        'Active',
        [
          ['Target', target],
          ['Owner', 'arn:aws:iam::123456789012:user/alice'],
        ],
        [SessionId],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['Owner', 'arn:aws:iam::123456789012:user/admin'],
        ],
        [],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['Status', 'Connecting'],
        ],
        [SessionId],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['Status', 'Connected'],
        ],
        [],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['Status', 'Nonsense'],
        ],
        [],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['Target', node],
        ],
        [],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['InvokedAfter', at(-1000)],
        ],
        [SessionId],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['InvokedAfter', at(0)],
        ],
        [],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['InvokedBefore', at(1000)],
          ['InvokedBefore', at(2000)],
        ],
        [SessionId],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['InvokedBefore', at(-1000)],
        ],
        [],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['AccessType', 'Standard'],
        ],
        [SessionId],
      ],
      [
        'Active',
        [
          ['Target', target],
          ['AccessType', 'JustInTime'],
        ],
        [],
      ],
    ]
    for (const [State, filters, expected] of cases) {
      const Filters = filters.map(([key, value]) => ({ key, value }))
      expect(ids(await api.ok('DescribeSessions', { State, Filters })), JSON.stringify(filters)).toEqual(
        expected,
      )
    }
  })

  test('refuses what it does not know', async () => {
    const cases: Array<[object, string]> = [
      [{ Filters: [{ key: 'Colour', value: 'red' }] }, 'ValidationException'],
      [{ Filters: [{ key: 'InvokedAfter', value: 'yesterday' }] }, 'ValidationException'],
      [{ NextToken: 'made-up' }, 'InvalidNextToken'],
      [{ NextToken: '{}' }, 'InvalidNextToken'],
    ]
    for (const [input, code] of cases) {
      expect(await api.code('DescribeSessions', { State: 'Active', ...input })).toBe(code)
    }
  })

  test('has the times and the end of each', async () => {
    const { SessionId } = await startAs(alice, { Reason: 'why' })
    await api.ok('TerminateSession', { SessionId })
    const Filters = [{ key: 'SessionId', value: SessionId }]
    const { Sessions } = await api.ok('DescribeSessions', { State: 'History', Filters })
    expect(Sessions).toEqual([
      {
        SessionId,
        Target: node,
        Status: 'Terminated',
        StartDate: api.now / 1000,
        EndDate: api.now / 1000,
        DocumentName: 'SSM-SessionManagerRunShell',
        Owner: 'arn:aws:iam::123456789012:user/alice',
        Reason: 'why',
        Details: 'Terminated by arn:aws:iam::123456789012:user/admin',
        OutputUrl: {},
        AccessType: 'Standard',
      },
    ])
  })
})
