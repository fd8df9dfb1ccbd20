import { expect, test } from 'vitest'
import { ConnectionBudget } from './connection-budget.ts'

test('the connections of all sessions together are limited, and one that has ended makes room', () => {
  const budget = new ConnectionBudget(5)
  const [first, second] = [{ streamCount: 3 }, { streamCount: 2 }]
  budget.add(first)
  budget.add(second)
  expect(() => budget.check('db:5432')).not.toThrow()
  second.streamCount = 3
  expect(() => budget.check('db:5432')).toThrow('db:5432: the agent has 5 forwarded connections open')
  budget.remove(first)
  expect(() => budget.check('db:5432')).not.toThrow()
})
