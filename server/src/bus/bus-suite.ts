import { afterEach, describe, expect, test } from 'vitest'
import { type Bus, type BusErrorListener, type BusMessage, nodeSubject, sessionSubject } from './bus.ts'

/** What every bus does. `open` gives a bus of its own to each test. */
export function busSuite(name: string, open: (options: { onError: BusErrorListener }) => Promise<Bus>): void {
  describe(name, () => {
    const buses: Bus[] = []
    const errors: [unknown, string][] = []

    afterEach(async () => {
      for (const bus of buses.splice(0)) await bus.close()
      errors.splice(0)
    })

    const opened = async (): Promise<Bus> => {
      const bus = await open({ onError: (error, subject) => errors.push([error, subject]) })
      buses.push(bus)
      return bus
    }

    /** Resolves when what was published before has been delivered, since one subject keeps its order. */
    const delivered = async (bus: Bus, subject: string): Promise<void> => {
      const marker = `marker-${Math.trunc(performance.now() * 1e6)}`
      await new Promise<void>((resolve, reject) => {
        const unsubscribe = bus.subscribe(subject, message => {
          if (message !== marker) return
          unsubscribe()
          resolve()
        })
        Promise.resolve(bus.publish(subject, marker)).catch(reject)
      })
    }

    test('messages of a subject arrive in order, after the publisher went on', async () => {
      const bus = await opened()
      const seen: BusMessage[] = []
      bus.subscribe('node.1', message => void seen.push(message))
      const published = Array.from({ length: 500 }, (_, at) => bus.publish('node.1', at))
      expect(seen).toEqual([])
      await Promise.all(published)
      await delivered(bus, 'node.1')
      expect(seen.slice(0, 500)).toEqual(Array.from({ length: 500 }, (_, at) => at))
    })

    test('only subscribers of exactly that subject get a message, each of them once', async () => {
      const bus = await opened()
      const seen: string[] = []
      for (const subject of ['a.b', 'a.b', 'a', 'a.b.c', 'a.c']) {
        bus.subscribe(subject, message => void seen.push(`${subject}=${String(message)}`))
      }
      await bus.publish('a.b', 'x')
      await delivered(bus, 'a.b')
      expect(seen.filter(line => !line.includes('marker'))).toEqual(['a.b=x', 'a.b=x'])
    })

    test('nobody shares an object with anybody', async () => {
      const bus = await opened()
      const seen: BusMessage[] = []
      const message = { list: [1] }
      for (const mark of [2, 3]) {
        bus.subscribe('a', received => {
          if (typeof received !== 'object' || received === null || !('list' in received)) return
          if (Array.isArray(received.list)) received.list.push(mark)
          seen.push(received)
        })
      }
      const publishing = bus.publish('a', message)
      message.list.push(9)
      await publishing
      await delivered(bus, 'a')
      expect(seen).toEqual([{ list: [1, 2] }, { list: [1, 3] }])
      expect(message).toEqual({ list: [1, 9] })
    })

    test('a handler that throws or rejects is reported and disturbs nobody', async () => {
      const bus = await opened()
      const seen: BusMessage[] = []
      bus.subscribe('a', message => {
        if (message === 1) throw new Error('thrown')
      })
      bus.subscribe('a', async message => {
        if (message === 1) throw new Error('rejected')
      })
      bus.subscribe('a', message => void seen.push(message))
      await bus.publish('a', 1)
      await bus.publish('a', 2)
      await delivered(bus, 'a')
      expect(seen.slice(0, 2)).toEqual([1, 2])
      expect(errors).toEqual([
        [new Error('thrown'), 'a'],
        [new Error('rejected'), 'a'],
      ])
    })

    test('an ended subscription gets nothing more, even what was under way', async () => {
      const bus = await opened()
      const seen: BusMessage[] = []
      const unsubscribe = bus.subscribe('a', message => void seen.push(message))
      const publishing = bus.publish('a', 1)
      unsubscribe()
      unsubscribe()
      await publishing
      await delivered(bus, 'a')
      expect(seen).toEqual([])
    })

    test('a handler may publish and subscribe', async () => {
      const bus = await opened()
      const answered = new Promise<BusMessage>(resolve => {
        bus.subscribe('question', async () => {
          bus.subscribe('answer', resolve)
          await bus.publish('answer', 42)
        })
      })
      await bus.publish('question', null)
      expect(await answered).toBe(42)
    })

    test('wildcards, spaces and empty parts are no subjects', async () => {
      const bus = await opened()
      for (const subject of ['', '.', 'a.', '.a', 'a..b', 'a.*', '>', 'a b', 'a\n', 'a'.repeat(600)]) {
        expect(() => bus.subscribe(subject, () => {})).toThrow(
          expect.objectContaining({ code: 'bad-subject' }),
        )
        expect(() => bus.publish(subject, 1)).toThrow(expect.objectContaining({ code: 'bad-subject' }))
      }
    })

    test('the subjects of nodes and sessions are subjects, whatever a name holds', async () => {
      const bus = await opened()
      const scope = { accountId: '1', region: 'r' }
      expect(nodeSubject(scope, 'mi-1')).toBe('node.1.r.mi-1')
      expect(sessionSubject(scope, 'a..b@c*>-0')).toBe('session.1.r.a%2e%2eb%40c%2a%3E-0')
      expect(() => bus.subscribe(sessionSubject(scope, 'a..b@c*> ~-0'), () => {})).not.toThrow()
    })

    test('a closed bus delivers nothing and takes nothing', async () => {
      const bus = await opened()
      const seen: BusMessage[] = []
      bus.subscribe('a', message => void seen.push(message))
      const publishing = bus.publish('a', 1)
      await bus.close()
      await publishing
      await new Promise(resolve => setImmediate(resolve))
      expect(seen).toEqual([])
      expect(() => bus.publish('a', 1)).toThrow(expect.objectContaining({ code: 'closed' }))
      expect(() => bus.subscribe('a', () => {})).toThrow(expect.objectContaining({ code: 'closed' }))
    })
  })
}
