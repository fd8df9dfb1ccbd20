import { describe, expect, test } from 'vitest'
import type { Scope } from './schema.ts'
import type { Store } from './store.ts'
import { session, task } from './suite-examples.ts'
import { elsewhere, inFreshScopes } from './suite-scopes.ts'

/** What every store does with sessions, their tokens and the tasks that nodes are owed. `open` gives an empty or a used store; scopes are fresh. */
export function sessionSuite(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store
    let scope: Scope
    inFreshScopes(open, given => {
      store = given.store
      scope = given.scope
    })

    describe('sessions', () => {
      test('a session is stored with its documents and task, or not at all', async () => {
        const stored = await store.sessions.insertWithTask(scope, session('s-1'), task('t-1', 's-1'))
        expect(await store.sessions.get(scope, 's-1')).toEqual(stored)
        expect(stored).toMatchObject({ status: 'Connecting', parameters: { command: ['ls'] }, agreed: null })
        expect(await store.tasks.listForNode(scope, 'mi-1')).toEqual([{ ...scope, ...task('t-1', 's-1') }])

        const again = store.sessions.insertWithTask(scope, session('s-1'), task('t-2', 's-1'))
        await expect(again).rejects.toMatchObject({ name: 'StoreError', code: 'constraint' })
        expect(await store.tasks.listForNode(scope, 'mi-1')).toHaveLength(1)
        const sameTask = store.sessions.insertWithTask(scope, session('s-2'), task('t-1', 's-2'))
        await expect(sameTask).rejects.toMatchObject({ code: 'constraint' })
        expect(await store.sessions.get(scope, 's-2')).toBeUndefined()
      })

      test('there are as many live ones of a node and of an owner as may be, however many come at once', async () => {
        const quotas = { perNode: 3, perOwner: 5 }
        let made = 0
        const start = async (nodeId: string, ownerUserId: string, of: Scope = scope) => {
          const id = `s-${++made}`
          const stored = session(id, { nodeId, ownerUserId })
          await store.sessions.insertWithTask(of, stored, { ...task(`t-${id}`, id), nodeId }, quotas)
          return id
        }
        const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => start('mi-1', 'AIDA1')))
        const [first, ...others] = outcomes.flatMap(outcome =>
          outcome.status === 'fulfilled' ? outcome.value : [],
        )
        expect(others).toHaveLength(2)
        expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(5)
        expect(await store.tasks.listForNode(scope, 'mi-1'), 'and nothing is half done').toHaveLength(3)
        await expect(start('mi-1', 'AIDA2')).rejects.toMatchObject({ quota: 'perNode' })

        await start('mi-2', 'AIDA1')
        await start('mi-2', 'AIDA1')
        await expect(start('mi-2', 'AIDA1')).rejects.toMatchObject({
          name: 'SessionQuotaError',
          quota: 'perOwner',
        })
        for (const other of elsewhere(scope)) await start('mi-1', 'AIDA1', other)
        await store.sessions.setStatus(scope, first ?? '', 'Terminated', { now: 9 })
        await start('mi-1', 'AIDA1')
      })

      test('the status moves along its allowed steps and never leaves an end', async () => {
        const statuses = [
          'Connecting',
          'Connected',
          'Disconnected',
          'Terminating',
          'Terminated',
          'Failed',
        ] as const
        const paths: Record<string, (typeof statuses)[number][]> = {
          Connecting: [],
          Connected: ['Connected'],
          Disconnected: ['Connected', 'Disconnected'],
          Terminating: ['Terminating'],
          Terminated: ['Terminated'],
          Failed: ['Failed'],
        }
        const reached: Record<string, string[]> = {}
        for (const from of statuses) {
          for (const to of statuses) {
            const id = `s-${from}-${to}`
            await store.sessions.insert(scope, session(id))
            for (const step of paths[from] ?? []) await store.sessions.setStatus(scope, id, step, { now: 1 })
            const changed = await store.sessions.setStatus(scope, id, to, { now: 2 })
            if (changed) reached[from] = [...(reached[from] ?? []), to]
            expect((await store.sessions.get(scope, id))?.status).toBe(changed ? to : from)
          }
        }
        expect(reached).toEqual({
          Connecting: ['Connected', 'Disconnected', 'Terminating', 'Terminated', 'Failed'],
          Connected: ['Disconnected', 'Terminating', 'Terminated', 'Failed'],
          Disconnected: ['Connected', 'Terminating', 'Terminated', 'Failed'],
          Terminating: ['Terminated', 'Failed'],
        })
      })

      test('times and details are kept as the session goes', async () => {
        await store.sessions.insert(scope, session('s-1'))
        await store.sessions.setStatus(scope, 's-1', 'Connected', { now: 10 })
        await store.sessions.setStatus(scope, 's-1', 'Disconnected', { now: 20, details: 'client went away' })
        await store.sessions.setStatus(scope, 's-1', 'Connected', { now: 30 })
        await store.sessions.setAgreed(scope, 's-1', { action: 'Sallyport/1' })
        await store.sessions.setDataPlane(scope, 's-1', { home: 'server-1' })
        const ends = await Promise.all(
          ['one', 'two', 'three'].map(details =>
            store.sessions.setStatus(scope, 's-1', 'Failed', { now: 40, details }),
          ),
        )
        expect(ends.filter(changed => changed)).toHaveLength(1)
        expect(await store.sessions.get(scope, 's-1')).toMatchObject({
          status: 'Failed',
          connectedAt: 10,
          endedAt: 40,
          details: ['one', 'two', 'three'][ends.indexOf(true)],
          agreed: { action: 'Sallyport/1' },
          dataPlane: { home: 'server-1' },
        })
        expect(await store.sessions.setAgreed(scope, 's-9', {})).toBe(false)
      })

      test('active and past sessions are listed apart, through every filter', async () => {
        for (const [id, startedAt] of [
          ['s-1', 10],
          ['s-2', 20],
          ['s-3', 30],
        ] as const) {
          const more = id === 's-2' ? { ownerArn: 'arn:bob', nodeId: 'mi-2' } : {}
          await store.sessions.insert(scope, session(id, { startedAt, ...more }))
        }
        await store.sessions.setStatus(scope, 's-1', 'Terminated', { now: 40 })
        await store.sessions.setStatus(scope, 's-3', 'Connected', { now: 40 })
        type Filters = Parameters<typeof store.sessions.list>[2]
        const ids = async (state: 'Active' | 'History', filters: Filters = {}) =>
          (await store.sessions.list(scope, state, filters, { limit: 9 })).items.map(found => found.sessionId)
        expect(await ids('Active')).toEqual(['s-3', 's-2'])
        expect(await ids('History')).toEqual(['s-1'])
        expect(await ids('Active', { owner: 'arn:bob' })).toEqual(['s-2'])
        expect(await ids('Active', { target: 'mi-1' })).toEqual(['s-3'])
        expect(await ids('Active', { status: 'Connected' })).toEqual(['s-3'])
        expect(await ids('Active', { status: 'Terminated' })).toEqual([])
        expect(await ids('Active', { sessionId: 's-2' })).toEqual(['s-2'])
        expect(await ids('Active', { invokedAfter: 20 })).toEqual(['s-3'])
        expect(await ids('Active', { invokedBefore: 30, invokedAfter: 10 })).toEqual(['s-2'])
        for (const other of elsewhere(scope)) {
          expect((await store.sessions.list(other, 'Active', {}, { limit: 9 })).items).toEqual([])
        }
      })

      test('a client token is accepted once, in time, by its own session', async () => {
        const use = (hash: string, now: number, id = 's-1') =>
          store.sessions.useClientToken(scope, id, hash, now)
        await store.sessions.insert(
          scope,
          session('s-1', { clientTokenHash: 'h1', clientTokenExpiresAt: 100 }),
        )
        await store.sessions.insert(scope, session('s-2'))
        expect(await use('h1', 50, 's-9')).toEqual({ accepted: false, reason: 'unknown-session' })
        expect(await use('h1', 50, 's-2')).toEqual({ accepted: false, reason: 'wrong' })
        expect(await use('h2', 50)).toEqual({ accepted: false, reason: 'wrong' })
        expect(await use('h1', 100)).toEqual({ accepted: false, reason: 'expired' })
        const uses = await Promise.all(Array.from({ length: 10 }, () => use('h1', 99)))
        expect(uses.filter(({ accepted }) => accepted)).toHaveLength(1)
        expect(await use('h1', 99)).toEqual({ accepted: false, reason: 'used' })

        expect(await store.sessions.setClientToken(scope, 's-1', { hash: 'h2', expiresAt: 200 })).toBe(true)
        expect(await use('h1', 150)).toEqual({ accepted: false, reason: 'wrong' })
        expect(await use('h2', 150)).toEqual({ accepted: true })
        await store.sessions.setClientToken(scope, 's-1', { hash: 'h3', expiresAt: 300 })
        await store.sessions.setStatus(scope, 's-1', 'Terminated', { now: 160 })
        expect(await use('h3', 170)).toEqual({ accepted: false, reason: 'ended' })
        expect(await store.sessions.setClientToken(scope, 's-1', { hash: 'h4', expiresAt: 400 })).toBe(false)
      })
    })

    describe('tasks', () => {
      test('the tasks of a node come oldest first, a start before the end of the same moment', async () => {
        await store.tasks.insert(scope, { ...task('t-0', 's-1', 20), kind: 'end-session' })
        await store.tasks.insert(scope, task('t-1', 's-1', 20))
        await store.tasks.insert(scope, task('t-2', 's-2', 10))
        await store.tasks.insert(scope, { ...task('t-3', 's-3'), nodeId: 'mi-2' })
        const ids = async () => (await store.tasks.listForNode(scope, 'mi-1')).map(found => found.taskId)
        expect(await ids()).toEqual(['t-2', 't-1', 't-0'])
        expect(await store.tasks.delete(scope, 't-2')).toBe(true)
        expect(await store.tasks.delete(scope, 't-2')).toBe(false)
        expect(await store.tasks.deleteForSession(scope, 's-1', 'start-session')).toBe(1)
        expect(await ids()).toEqual(['t-0'])
        expect(await store.tasks.deleteForSession(scope, 's-1')).toBe(1)
        for (const other of elsewhere(scope)) expect(await store.tasks.listForNode(other, 'mi-2')).toEqual([])
      })
    })
  })
}
