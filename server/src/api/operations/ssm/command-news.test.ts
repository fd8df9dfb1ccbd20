import { commandSubject } from '@sallyport/server/bus/bus'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'
import { commandsIn, NO_COMMAND, type Row, STEP } from './command-testing.ts'
import { LATE_OUTPUT_MS } from './put-command-output.ts'

// Our own operations: what becomes of a command and what it writes, as it happens.

let api: ApiForTest
let web: string
let db: string
const { sent, accept, step, reply, finish, twoSteps, isWaiting } = commandsIn(() => api)

beforeAll(async () => {
  api = await openApi()
  web = await api.node()
  db = await api.node()
  await twoSteps()
})
afterAll(() => api.dispose())

describe('WatchCommand', () => {
  const watch = (CommandId: string, input: object = {}) => api.ok('WatchCommand', { CommandId, ...input })

  test('tells of all at first, then of what changed', async () => {
    const id = await sent([web, db])
    const first = await watch(id)
    expect(first).toMatchObject({ Command: { CommandId: id, TargetCount: 2 }, More: false })
    expect((first.Invocations as Row[]).map(({ InstanceId }) => InstanceId).sort()).toEqual([web, db].sort())
    expect((first.Invocations as Row[]).every(({ ResponseCode }) => ResponseCode === -1)).toBe(true)
    expect((first.Counts as Row[]).reduce((sum, { Count }) => sum + Number(Count), 0)).toBe(2)
    const waiting = watch(id, { AfterRevision: first.Revision, WaitSeconds: 20 })
    await isWaiting()
    await finish(id, db, { status: 'Failed', code: 9 })
    const invocations = []
    let { Revision, Invocations } = (await waiting) as { Revision: unknown; Invocations: Row[] }
    invocations.push(...Invocations)
    while (invocations.at(-1)?.Status !== 'Failed') {
      ;({ Revision, Invocations } = (await watch(id, { AfterRevision: Revision })) as {
        Revision: unknown
        Invocations: Row[]
      })
      invocations.push(...Invocations)
    }
    expect(new Set(invocations.map(({ InstanceId }) => InstanceId))).toEqual(new Set([db]))
    expect(invocations.at(-1)).toMatchObject({ StatusDetails: 'Failed', ResponseCode: 9, InstanceName: '' })
    expect(await watch(id, { AfterRevision: Revision })).toMatchObject({ Invocations: [], Revision })
  })

  test('in pieces', async () => {
    const id = await sent([web, db])
    const one = await watch(id, { MaxResults: 1 })
    expect(one).toMatchObject({ Invocations: [{}], More: true })
    const two = await watch(id, { MaxResults: 1, AfterRevision: one.Revision })
    const [a, b] = [one, two].map(({ Invocations }) => (Invocations as Row[])[0]?.InstanceId)
    expect([a, b].sort()).toEqual([web, db].sort())
  })

  test('answers when the time is up, when the caller goes, and at once when all has ended', async () => {
    const id = await sent([web])
    const { Revision } = await watch(id)
    const waiting = watch(id, { AfterRevision: Revision, WaitSeconds: 20 })
    await isWaiting()
    api.clock.advance(20_000)
    expect(await waiting).toMatchObject({ Invocations: [], Revision })
    const gone = new AbortController()
    const request = api.jsonRequest('WatchCommand', {
      CommandId: id,
      AfterRevision: Revision,
      WaitSeconds: 20,
    })
    const left = api.handle({ ...api.signed(request, api.administrator), gone: gone.signal })
    await isWaiting()
    gone.abort()
    expect((await left).status).toBe(200)
    expect(api.commandWatches.size).toBe(0)
    await finish(id, web)
    const end = await watch(id)
    expect(end.Command).toMatchObject({ Status: 'Success' })
    // Nothing moves the clock, so this would wait for ever.
    expect(await watch(id, { AfterRevision: end.Revision, WaitSeconds: 20 })).toMatchObject({
      Invocations: [],
    })
  })

  test('of no command', async () => {
    expect(await api.code('WatchCommand', { CommandId: NO_COMMAND })).toBe('InvalidCommandId')
  })
})

describe('the output of a command', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const put = (CommandId: string, InstanceId: string, Offset: number, text: string, more: object = {}) =>
    api.call(
      'PutCommandOutput',
      { CommandId, InstanceId, PluginName: STEP, Stream: 'stdout', Offset, Content: base64(text), ...more },
      api.asNode(web),
    )
  const get = async (CommandId: string, input: object = {}) => {
    const answer = await api.ok('GetCommandOutput', { CommandId, InstanceId: web, ...input })
    return { ...answer, Content: Buffer.from(String(answer.Content), 'base64').toString() }
  }

  test('is had while it runs, as it comes, and to its end', async () => {
    const id = await sent([web])
    await accept(id, web)
    expect(await get(id)).toEqual({ Content: '', NextOffset: 0, Ended: false, Status: 'InProgress' })
    const waiting = get(id, { WaitSeconds: 20 })
    await isWaiting()
    expect((await put(id, web, 0, 'one ')).body).toEqual({ NextOffset: 4, Full: false })
    expect(await waiting).toMatchObject({ Content: 'one ', NextOffset: 4, Ended: false })
    const further = get(id, { Offset: 4, WaitSeconds: 20 })
    await isWaiting()
    await put(id, web, 2, 'e two')
    expect(await further).toMatchObject({ Content: 'two', NextOffset: 7, Ended: false })
    const rest = get(id, { Offset: 7, WaitSeconds: 20 })
    await isWaiting()
    await reply(id, web, 'Success', step(STEP, 'Success', { standardOutput: 'one' }))
    expect(await rest).toEqual({ Content: '', NextOffset: 7, Ended: true, Status: 'Success' })
    expect(await get(id, { MaxBytes: 3 })).toMatchObject({ Content: 'one', NextOffset: 3, Ended: false })
    expect(await get(id, { Stream: 'stderr' })).toMatchObject({ Content: '', Ended: true })
  })

  test('is that of the reply where nothing else came', async () => {
    const id = await sent([web])
    await finish(id, web, { standardOutput: 'größer', standardError: 'oh' })
    expect(await get(id)).toEqual({ Content: 'größer', NextOffset: 8, Ended: true, Status: 'Success' })
    expect(await get(id, { Offset: 6 })).toMatchObject({ Content: 'er', Ended: true })
    expect(await get(id, { Stream: 'stderr', PluginName: STEP })).toMatchObject({ Content: 'oh' })
    expect(await get(id, { Offset: 99 })).toMatchObject({ Content: '', Ended: true })
  })

  test('is told of on the bus, unless it was there already', async () => {
    const id = await sent([web])
    await accept(id, web)
    const told = () =>
      api.published.filter(
        ([subject, message]) =>
          subject === commandSubject(scope, id) && JSON.stringify(message).includes('output'),
      )
    await put(id, web, 0, 'x')
    expect(told().map(([, message]) => message)).toEqual([{ type: 'output', nodeId: web }])
    await put(id, web, 0, '')
    expect(told()).toHaveLength(1)
  })

  test('is taken from the node of the invocation only', async () => {
    const id = await sent([web, db])
    expect((await put(id, db, 0, 'x')).code).toBe('AccessDeniedException')
    expect((await put(await sent([db]), web, 0, 'x')).code).toBe('InvocationDoesNotExist')
    expect((await put(NO_COMMAND, web, 0, 'x')).code).toBe('InvocationDoesNotExist')
  })

  test('may come for an hour after the result', async () => {
    const id = await sent([web])
    await finish(id, web, { standardOutput: 'whole' })
    api.now += LATE_OUTPUT_MS
    expect((await put(id, web, 0, 'whole and ')).body).toMatchObject({ NextOffset: 10 })
    expect((await put(id, web, 10, 'more')).body).toMatchObject({ NextOffset: 14 })
    expect(await get(id)).toMatchObject({ Content: 'whole and more', Ended: true })
    api.now += 1
    const late = await put(id, web, 14, 'x')
    expect([late.code, late.message]).toEqual([
      'InvocationDoesNotExist',
      expect.stringContaining(`has ended on ${web}`),
    ])
  })

  test('is not taken of what the node was never told', async () => {
    const id = await sent([db, web], { MaxConcurrency: '1' })
    expect((await put(id, web, 0, 'x')).code).toBe('InvocationDoesNotExist')
    await api.ok('CancelCommand', { CommandId: id })
    expect((await put(id, web, 0, 'x')).code).toBe('InvocationDoesNotExist')
  })

  test('has no gaps, no other steps, and nothing but bytes', async () => {
    const id = await sent([web])
    await put(id, web, 0, 'abc')
    const gap = await put(id, web, 4, 'x')
    expect([gap.code, gap.message]).toEqual([
      'ValidationException',
      expect.stringContaining('has 3 bytes so far'),
    ])
    expect((await put(id, web, 3, '', { PluginName: '../../x' })).code).toBe('InvalidPluginName')
    expect((await put(id, web, 3, '', { Content: 'no base64!' })).code).toBe('ValidationException')
    expect((await put(id, web, 3, 'x'.repeat(512 * 1024 + 1))).code).toBe('ValidationException')
    expect((await put(id, web, 3, 'x'.repeat(512 * 1024))).body).toMatchObject({ NextOffset: 3 + 512 * 1024 })
  })

  test('of several steps one has to be named', async () => {
    const id = await sent([web], { DocumentName: 'TwoSteps', Parameters: {} })
    expect(await api.code('GetCommandOutput', { CommandId: id, InstanceId: web })).toBe('InvalidPluginName')
    await accept(id, web)
    await reply(id, web, 'InProgress', step('first', 'Success', { standardOutput: 'done' }))
    expect(await get(id, { PluginName: 'first' })).toMatchObject({
      Content: 'done',
      Ended: true,
      Status: 'InProgress',
    })
    expect(await get(id, { PluginName: 'second' })).toMatchObject({ Content: '', Ended: false })
  })
})
