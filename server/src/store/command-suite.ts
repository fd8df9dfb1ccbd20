import { describe, expect, test } from 'vitest'
import type { CommandRow, InvocationRow, Scope, StepResultRow } from './schema.ts'
import type { Store } from './store.ts'
import { node } from './suite-examples.ts'
import { elsewhere, inFreshScopes } from './suite-scopes.ts'

/** What every store does with commands and invocations. `open` gives an empty or a used store; scopes are fresh. */
export function commandSuite(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store
    let scope: Scope
    inFreshScopes(open, given => {
      store = given.store
      scope = given.scope
    })

    const page = { limit: 100 }
    const command = (commandId: string, more: Partial<CommandRow> = {}) => ({
      ...scope,
      ...exampleCommand,
      commandId,
      ...more,
    })
    const invocation = (commandId: string, nodeId: string, more: Partial<InvocationRow> = {}) => ({
      ...scope,
      ...exampleInvocation,
      commandId,
      nodeId,
      ...more,
    })
    const { insert, change, owed, nextDeadline } = {
      insert: (row: CommandRow, nodes: InvocationRow[] = []) => store.commandChanges.insert(row, nodes),
      change: <T>(work: Parameters<typeof store.commandChanges.change<T>>[1]) =>
        store.commandChanges.change<T>(scope, work),
      owed: (nodeIds: string[], limit = 100) =>
        store.commandChanges.owed(scope, nodeIds, { now: 1_000, limit, sentSince: 500, remembering: 'ours' }),
      nextDeadline: () => store.commandChanges.nextDeadline(scope),
    }

    describe('commands', () => {
      test('a command is stored with all of its invocations, however many, or not at all', async () => {
        const nodes = Array.from({ length: 250 }, (_, i) => invocation('c-1', `mi-${i}`, { position: i }))
        await insert(command('c-1'), nodes)
        expect(await store.commands.get(scope, 'c-1')).toMatchObject({
          documentContent: { schemaVersion: '2.2' },
          parameters: { commands: ['ls'] },
          instanceIds: ['mi-1'],
          settings: { OutputS3Region: 'r' },
        })
        expect(await store.commands.summary(scope, 'c-1')).not.toHaveProperty('documentContent')
        expect(await store.invocations.counts(scope, 'c-1')).toEqual([
          { status: 'Pending', details: 'Pending', count: 250 },
        ])
        const again = insert(command('c-1'), [invocation('c-1', 'mi-new')])
        await expect(again).rejects.toMatchObject({ name: 'StoreError', code: 'constraint' })
        expect(await store.invocations.get(scope, 'c-1', 'mi-new')).toBeUndefined()
        for (const other of elsewhere(scope)) {
          expect(await store.commands.get(other, 'c-1')).toBeUndefined()
          expect((await store.commands.list(other, page, {})).items).toEqual([])
          expect((await store.invocations.list(other, page, {})).items).toEqual([])
        }
      })

      test('they are listed newest first, page by page, by everything that a request may ask for', async () => {
        for (const [index, id] of ['a', 'b', 'c', 'd', 'e'].entries()) {
          // Two of the same moment.
          const requestedAt = 1_000 + (id === 'e' ? 3 : index)
          const more = id === 'c' ? { status: 'Success' as const, documentName: 'other' } : {}
          await insert(command(id, { requestedAt, ...more }), [invocation(id, id === 'b' ? 'mi-b' : 'mi-x')])
        }
        const ids = async (filters: Parameters<typeof store.commands.list>[2]) =>
          (await store.commands.list(scope, page, filters)).items.map(({ commandId }) => commandId).join('')
        expect(await ids({})).toBe('edcba')
        expect(await ids({ commandId: 'b' })).toBe('b')
        expect(await ids({ nodeId: 'mi-b' })).toBe('b')
        expect(await ids({ after: 1_001 })).toBe('edc')
        expect(await ids({ before: 1_001 })).toBe('a')
        expect(await ids({ statuses: ['Success', 'Failed'] })).toBe('c')
        expect(await ids({ documentName: 'doc', nodeId: 'mi-x' })).toBe('eda')
        const pages: string[][] = []
        for (let token: string | undefined = ''; token !== undefined; ) {
          const got: Awaited<ReturnType<typeof store.commands.list>> = await store.commands.list(
            scope,
            { limit: 2, ...(token === '' ? {} : { token }) },
            {},
          )
          pages.push(got.items.map(({ commandId }) => commandId))
          token = got.nextToken
        }
        expect(pages).toEqual([['e', 'd'], ['c', 'b'], ['a']])
      })
    })

    describe('invocations', () => {
      test('they are listed with what their command says, page by page, by everything that may be asked', async () => {
        await insert(command('old', { requestedAt: 1, documentName: 'other' }), [
          invocation('old', 'mi-2'),
          invocation('old', 'mi-1', { status: 'Failed' }),
        ])
        await insert(command('new', { requestedAt: 2 }), [invocation('new', 'mi-1')])
        const ids = async (filters: Parameters<typeof store.invocations.list>[2], limit = 100) =>
          (await store.invocations.list(scope, { limit }, filters)).items.map(
            found => `${found.commandId} ${found.nodeId}`,
          )
        expect(await ids({})).toEqual(['new mi-1', 'old mi-1', 'old mi-2'])
        expect(await ids({ nodeId: 'mi-1' })).toEqual(['new mi-1', 'old mi-1'])
        expect(await ids({ commandId: 'old' })).toEqual(['old mi-1', 'old mi-2'])
        expect(await ids({ statuses: ['Failed'] })).toEqual(['old mi-1'])
        expect(await ids({ documentName: 'doc' })).toEqual(['new mi-1'])
        expect(await ids({ after: 1 })).toEqual(['new mi-1'])
        expect(await ids({ before: 2 })).toEqual(['old mi-1', 'old mi-2'])
        const first = await store.invocations.list(scope, { limit: 2 }, {})
        const second = await store.invocations.list(scope, { limit: 2, token: first.nextToken }, {})
        expect(second.items.map(({ nodeId }) => nodeId)).toEqual(['mi-2'])
        expect(second.nextToken).toBeUndefined()
        expect(await store.invocations.get(scope, 'old', 'mi-2')).toMatchObject({
          documentName: 'other',
          requestedAt: 1,
          comment: 'why',
          settings: { OutputS3Region: 'r' },
        })
      })

      test('what changed is told in the order of the revisions, and counted by how it stands', async () => {
        await insert(command('c'), [
          invocation('c', 'mi-1', { revision: 5 }),
          invocation('c', 'mi-2', { revision: 9, status: 'Failed', details: 'Terminated' }),
          invocation('c', 'mi-3', { revision: 7 }),
        ])
        const since = async (revision: number, limit: number) =>
          (await store.invocations.changedSince(scope, 'c', revision, limit)).map(({ nodeId }) => nodeId)
        expect(await since(0, 2)).toEqual(['mi-1', 'mi-3'])
        expect(await since(5, 9)).toEqual(['mi-3', 'mi-2'])
        expect(await since(9, 9)).toEqual([])
        expect(await store.invocations.counts(scope, 'c')).toEqual([
          { status: 'Failed', details: 'Terminated', count: 1 },
          { status: 'Pending', details: 'Pending', count: 2 },
        ])
      })

      test('the window finds who waits, in order; cancelling finds who does not yet', async () => {
        const ended = { endedAt: 1, status: 'Cancelled' as const }
        await insert(command('c'), [
          invocation('c', 'mi-0', { position: 3 }),
          invocation('c', 'mi-1', { position: 2, ...ended }),
          invocation('c', 'mi-2', { position: 1 }),
          invocation('c', 'mi-3', { position: 0, releasedAt: 1 }),
          invocation('c', 'mi-4', { position: 4, releasedAt: 1, status: 'Cancelling' }),
          invocation('c', 'mi-5', { position: 5, releasedAt: 1, ...ended }),
        ])
        const ids = (rows: InvocationRow[]) => rows.map(({ nodeId }) => nodeId)
        await change(async changes => {
          expect(ids(await changes.waiting('c', 9))).toEqual(['mi-2', 'mi-0'])
          expect(ids(await changes.waiting('c', 1))).toEqual(['mi-2'])
          expect(ids(await changes.uncancelled('c', 9))).toEqual(['mi-3'])
        })
      })
    })

    describe('what is owed', () => {
      test('many nodes are told at once, each the oldest first, and nothing before its time', async () => {
        for (const [id, requestedAt] of Object.entries({ late: 30, early: 10, middle: 20 })) {
          await insert(command(id, { requestedAt }), [
            invocation(id, 'mi-1', { owed: id === 'middle' ? 'cancel' : 'command' }),
            invocation(id, 'mi-2', { owed: 'command', notBefore: id === 'late' ? 1_001 : 1_000 }),
            invocation(id, 'mi-3'),
          ])
        }
        const all = await owed(['mi-1', 'mi-2', 'mi-3'])
        const of = (nodeId: string) =>
          all.filter(row => row.nodeId === nodeId).map(row => `${row.owed} ${row.commandId}`)
        expect(of('mi-1')).toEqual(['command early', 'cancel middle', 'command late'])
        expect(of('mi-2')).toEqual(['command early', 'command middle'])
        expect(of('mi-3')).toEqual([])
        expect((await owed(['mi-1', 'mi-2'], 1)).map(({ commandId }) => commandId)).toEqual([
          'early',
          'early',
        ])
      })

      test('what a node may have forgotten hides nothing that it may be told', async () => {
        for (const [nodeId, agentName] of [
          ['mi-1', 'theirs'],
          ['mi-2', 'ours'],
        ] as const) {
          await store.nodes.insert(scope, node(nodeId))
          await store.nodes.updateInformation(scope, nodeId, { agentName }, 1_000)
        }
        const nodes = ['mi-1', 'mi-2', 'mi-gone']
        for (const [index, [id, more]] of Object.entries({
          forgotten: { sentAt: 499 },
          cancelled: { sentAt: 499, owed: 'cancel' as const },
          sent: { sentAt: 500 },
          fresh: {},
        }).entries()) {
          const rows = nodes.map(nodeId => invocation(id, nodeId, { owed: 'command', ...more }))
          await insert(command(id, { requestedAt: index }), rows)
        }
        const all = await owed(nodes, 3)
        const of = (nodeId: string) => all.filter(row => row.nodeId === nodeId).map(row => row.commandId)
        expect(of('mi-1')).toEqual(['cancelled', 'sent', 'fresh'])
        expect(of('mi-2')).toEqual(['forgotten', 'cancelled', 'sent'])
        expect(of('mi-gone')).toEqual(['cancelled', 'sent', 'fresh'])
      })

      test('nothing of a command that is not there yet', async () => {
        await insert(command('c'), [invocation('c', 'mi-1', { owed: 'command', deadline: 5 })])
        await store.db.deleteFrom('commands').where('accountId', '=', scope.accountId).execute()
        expect(await owed(['mi-1'])).toEqual([])
        expect((await store.invocations.list(scope, page, {})).items).toEqual([])
        expect(await nextDeadline()).toBe(5)
        await store.commandChanges.remove(scope, 'c')
        expect(await nextDeadline()).toBeUndefined()
      })
    })

    test('a batch is stored as a whole or not at all, and changes only what moves', async () => {
      await insert(command('c'), [invocation('c', 'mi-1', { position: 7, deadline: 50 })])
      const moved = invocation('c', 'mi-1', {
        position: 99,
        nodeName: 'no',
        status: 'InProgress',
        revision: 8,
        deadline: 40,
      })
      const save = (fails: boolean) =>
        change(async changes => {
          await changes.saveInvocations([moved])
          for (const state of await changes.commands(['c']))
            await changes.saveCommand({ ...state, activeCount: 4 })
          if (fails) throw new Error('stop')
        })
      await expect(save(true)).rejects.toThrow('stop')
      expect((await store.commands.get(scope, 'c'))?.activeCount).toBe(1)
      await save(false)
      expect((await store.commands.get(scope, 'c'))?.activeCount).toBe(4)
      expect(await store.invocations.get(scope, 'c', 'mi-1')).toMatchObject({
        position: 7,
        nodeName: 'name',
        status: 'InProgress',
        revision: 8,
      })
      expect(await nextDeadline()).toBe(40)
      expect(await store.commandChanges.unfinished(scope)).toEqual(['c'])
      await change(async changes => {
        expect(await changes.due(39, 9)).toEqual([])
        expect(await changes.due(40, 9)).toHaveLength(1)
        expect(await changes.ofNode('mi-1', 9)).toHaveLength(1)
        const named = new Map([['c', new Set(['mi-1', 'mi-2'])]])
        expect(await changes.invocations(named)).toHaveLength(1)
      })
    })

    test('step results are those of many nodes; one that has ended stays, one that has not is replaced', async () => {
      const step = (nodeId: string, stepName: string, more: Partial<StepResultRow> = {}) => ({
        ...scope,
        ...exampleStep,
        nodeId,
        stepName,
        ...more,
      })
      const save = (rows: StepResultRow[]) => change(changes => changes.saveSteps(rows))
      await save([
        step('mi-2', 'b', { startedAt: 2 }),
        step('mi-2', 'a', { startedAt: 5 }),
        step('mi-1', 'a'),
      ])
      await save([step('mi-1', 'a', { status: 'Success', output: 'done' })])
      await save([step('mi-1', 'a', { status: 'Failed', output: 'late' })])
      await save([step('mi-2', 'a', { status: 'SuccessAndReboot', startedAt: 5 })])
      const found = await store.stepResults.of(scope, 'c', ['mi-1', 'mi-2', 'mi-3'])
      expect(found.map(({ nodeId, stepName, status }) => `${nodeId} ${stepName} ${status}`)).toEqual([
        'mi-1 a Success',
        'mi-2 b InProgress',
        'mi-2 a SuccessAndReboot',
      ])
      expect(found[0]?.output).toBe('done')
      for (const other of elsewhere(scope))
        expect(await store.stepResults.of(other, 'c', ['mi-1'])).toEqual([])
    })

    test('old commands are found when they have ended, and removed with everything', async () => {
      await insert(command('a', { requestedAt: 1, endedAt: 9 }), [invocation('a', 'mi-1')])
      await insert(command('b', { requestedAt: 2 }))
      await insert(command('c', { requestedAt: 3, endedAt: 9 }))
      expect(await store.commandChanges.endedBefore(scope, 3, 9)).toEqual(['a'])
      expect(await store.commandChanges.endedBefore(scope, 4, 9)).toEqual(['a', 'c'])
      for (const other of elsewhere(scope)) await store.commandChanges.remove(other, 'a')
      expect(await store.commands.get(scope, 'a')).toBeDefined()
      await store.commandChanges.remove(scope, 'a')
      expect(await store.commands.get(scope, 'a')).toBeUndefined()
      expect(await store.invocations.counts(scope, 'a')).toEqual([])
    })
  })
}

const exampleCommand = {
  documentName: 'doc',
  documentVersion: '1',
  documentContent: '{"schemaVersion":"2.2"}',
  boundParameters: '{}',
  parameters: '{"commands":["ls"]}',
  instanceIds: '["mi-1"]',
  targets: '[]',
  comment: 'why',
  ownerArn: 'arn',
  requestedAt: 1_000,
  timeoutSeconds: 60,
  executionMs: 1_000,
  expiresAt: 62_000,
  maxConcurrency: '50',
  maxErrors: '0',
  concurrencyLimit: 50,
  errorLimit: 0,
  settings: '{"OutputS3Region":"r"}',
  status: 'InProgress' as const,
  details: 'InProgress',
  targetCount: 1,
  waitingCount: 0,
  activeCount: 1,
  completedCount: 0,
  successCount: 0,
  errorCount: 0,
  deliveryTimedOutCount: 0,
  cancelledCount: 0,
  cancelRequestedAt: null,
  endedAt: null,
  revision: 1,
}

const exampleInvocation = {
  position: 0,
  nodeName: 'name',
  status: 'Pending' as const,
  details: 'Pending',
  owed: null,
  notBefore: null,
  refusals: 0,
  releasedAt: null,
  sentAt: null,
  acceptedAt: null,
  endedAt: null,
  deadline: null,
  traceOutput: '',
  revision: 1,
}

const exampleStep = {
  commandId: 'c',
  status: 'InProgress',
  code: 0,
  output: '',
  standardOutput: '',
  standardError: '',
  startedAt: null,
  endedAt: null,
}
