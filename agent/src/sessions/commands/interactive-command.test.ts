import { PayloadType } from '@sallyport/protocol/message-types'
import { expect, test } from 'vitest'
import { commandDocument, openActivity } from '../testing.ts'

const open = (commands: string, options = {}) =>
  openActivity(commandDocument('InteractiveCommands', commands), options)

test('the commands run in sh on a terminal, with what is typed as their input', async () => {
  const command = open('tty >/dev/null && echo "on a terminal"; read -r line; echo "<$line>"; exit 4')
  await command.until(() => command.stdout().includes('on a terminal'))
  command.send('typed\r')
  expect(await command.end()).toMatchObject({
    status: 'Success',
    exitCode: 4,
    stdout: 'on a terminal\r\ntyped\r\n<typed>\r\n',
  })
})

test('a key is a signal: Ctrl-C ends what runs', async () => {
  const command = open('echo ready; exec sleep 1000')
  await command.until(() => command.stdout() === 'ready\r\n')
  command.send('\x03')
  expect(await command.end()).toMatchObject({ exitCode: 130, stdout: 'ready\r\n^C' })
})

test('a stock client gets no exit status, which it would print', async () => {
  const command = open('echo done', { own: false })
  expect(await command.end()).toMatchObject({ stdout: 'done\r\n', exitCode: undefined })
  expect(command.order).toEqual([PayloadType.output])
})

test('parameters are put in', async () => {
  const command = open('echo {{ text }}', { parameters: { text: 'hello' } })
  expect((await command.end()).stdout).toBe('hello\r\n')
})

test('without commands for this platform the session fails in the words of the stock agent', () => {
  const words = 'Commands cannot be empty for session type InteractiveCommands'
  expect(() => open('')).toThrow(words)
  const properties = { windows: { commands: 'dir' } }
  expect(() => openActivity({ sessionType: 'InteractiveCommands', properties })).toThrow(words)
  expect(() => openActivity({ sessionType: 'InteractiveCommands' })).toThrow(words)
})
