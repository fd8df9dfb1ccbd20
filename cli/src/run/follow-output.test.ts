import { expect, test } from 'vitest'
import { runScene } from './run-scene.ts'

test('the last line of a step may have no line feed, and is a line all the same', async () => {
  const { server, stdout, start } = runScene(['a', 'b'])
  const steps = [{ Name: 'first' }, { Name: 'second' }]
  server.answers.ListCommandInvocations = { CommandInvocations: [{ CommandPlugins: steps }] }
  const ended = start({ document: 'D' })
  for (const node of [0, 1]) {
    server.print(node, 'x')
    server.set(node, 'Success', { code: 0 })
  }
  await ended
  expect(stdout.text.trim().split('\n').sort()).toEqual(['a | x', 'a | x', 'b | x', 'b | x'])
})
