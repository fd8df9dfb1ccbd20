import { describe, expect, test } from 'vitest'
import { authorisedDestinations } from './authorised-destinations.ts'
import { Destination, ForbiddenDestination } from './destination.ts'
import { DestinationRules } from './destination-rules.ts'
import { readHost } from './host.ts'

const only = (...list: Array<[Host: string, Port: number]>) =>
  authorisedDestinations({ Destinations: list.map(([Host, Port]) => ({ Host, Port })) })
const covers = (list: ReturnType<typeof only>, host: string, port: number) =>
  list?.covers(readHost(host), port)

describe('destinations that the server has authorised', () => {
  test('are hosts with their ports, however a host is spelled', () => {
    const list = only(['db.internal', 5432], ['10.0.0.5', 22])
    expect(covers(list, 'DB.internal.', 5432)).toBe(true)
    expect(covers(list, '0x0a000005', 22)).toBe(true)
    expect(covers(list, 'db.internal', 22)).toBe(false)
    expect(covers(list, '10.0.0.5', 5432)).toBe(false)
    expect(covers(list, 'other.internal', 5432)).toBe(false)
    expect(covers(only(['localhost', 80]), '', 80)).toBe(true)
    expect(covers(only(), '', 80)).toBe(false)
  })

  test('are no matter to an older server', () => {
    expect(authorisedDestinations(undefined)).toBeUndefined()
    expect(authorisedDestinations({})).toBeUndefined()
  })

  test.each([
    [{ Destinations: 'db.internal:5432' }],
    [{ Destinations: [{ Host: 'db.internal' }] }],
    [{ Destinations: [{ Host: 'a b', Port: 1 }] }],
    [{ Destinations: ['db.internal:5432'] }],
    [[]],
    ['db.internal:5432'],
  ])('that cannot be read authorise nothing: %j', member => {
    expect(() => authorisedDestinations(member)).toThrow()
  })

  test('keep each connection of a session from any other one, before its name is even resolved', async () => {
    const resolved: string[] = []
    const destination = (host: string, port: number) =>
      new Destination({
        host,
        port,
        rules: new DestinationRules(),
        authorised: only(['db.internal', 5432]),
        network: {
          resolve: async name => {
            resolved.push(name)
            return ['192.0.2.1']
          },
          connect: () => Promise.reject(new Error('connected')),
        },
      })
    const elsewhere = destination('db.internal', 22)
    expect(() => elsewhere.refuseByName()).toThrow(ForbiddenDestination)
    await expect(elsewhere.connect(new AbortController().signal)).rejects.toThrow(
      'Forwarding to db.internal:22 is forbidden. The server has not authorised this session for it.',
    )
    expect(resolved).toEqual([])
    await expect(destination('db.internal', 5432).connect(new AbortController().signal)).rejects.toThrow(
      'connected',
    )
    expect(resolved).toEqual(['db.internal'])
  })
})
