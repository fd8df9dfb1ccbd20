import { expect, test } from 'vitest'
import { InputEnd } from './input-end.ts'

/** A clock that a test moves on, and what was typed by when. */
function setUp() {
  const typed: number[] = []
  let now = 0
  let room = true
  let due: { at: number; run: () => void } | undefined
  const clock = {
    after: (milliseconds: number, run: () => void) => {
      const mine = { at: now + milliseconds, run }
      due = mine
      return () => {
        if (due === mine) due = undefined
      }
    },
  }
  const end = new InputEnd({
    clock,
    send: bytes => {
      expect([...bytes]).toEqual([4])
      typed.push(now)
      return room
    },
  })
  const passUntil = (time: number) => {
    while (due !== undefined && due.at <= time) {
      const { at, run } = due
      due = undefined
      now = at
      run()
    }
    now = time
  }
  return { end, typed, passUntil, setRoom: (value: boolean) => (room = value) }
}

test('Ctrl-D is typed at the end of the input, and again ever more rarely', () => {
  const { end, typed, passUntil } = setUp()
  passUntil(1_000)
  expect(typed).toEqual([])
  end.begin()
  end.begin()
  passUntil(5_000)
  expect(typed).toEqual([1_000, 1_250, 1_750, 2_750, 4_750])
  passUntil(60_000)
  expect(typed.length).toBeLessThan(15)
})

test('once the node has printed something and is quiet', () => {
  const { end, typed, passUntil } = setUp()
  end.onOutput()
  end.begin()
  passUntil(10)
  end.onOutput()
  passUntil(60)
  end.onOutput()
  passUntil(159)
  expect(typed).toEqual([0])
  passUntil(160)
  expect(typed).toEqual([0, 160])
})

test('not while the node takes nothing, and not after the end', () => {
  const { end, typed, passUntil, setRoom } = setUp()
  setRoom(false)
  end.begin()
  end.onOutput()
  passUntil(100_000)
  expect(typed).toEqual([0])
  setRoom(true)
  end.onRoom()
  passUntil(100_250)
  expect(typed).toEqual([0, 100_250])
  end.stop()
  end.onOutput()
  passUntil(200_000)
  expect(typed.length).toBe(2)
})
