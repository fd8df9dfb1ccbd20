import { expect, test } from 'vitest'
import { readAgentConfig } from './config.ts'
import { LOOPBACK } from './sessions/port/host.ts'

test.each(['much', '-1', '0', '1.5', '512M'])('a limit on memory of %s is not one', value => {
  expect(() => readAgentConfig({ SALLYPORT_COMMAND_MEMORY: value }, {})).toThrow(
    `SALLYPORT_COMMAND_MEMORY is "${value}", but must be a number of MiB, such as 512.`,
  )
})

test('destination rules come from the environment', () => {
  const { destinations } = readAgentConfig({ SALLYPORT_DENIED_DESTINATIONS: '127.0.0.0/8 ::1' }, {})
  expect(LOOPBACK.every(address => destinations.denies(address))).toBe(true)
  expect(LOOPBACK.some(address => readAgentConfig({}, {}).destinations.denies(address))).toBe(false)
})

test('a bad value stops the start, with its name and what was expected', () => {
  expect(() => readAgentConfig({ SALLYPORT_ALLOWED_DESTINATIONS: '10.0.0.0/40' }, {})).toThrow(
    "SALLYPORT_ALLOWED_DESTINATIONS: '10.0.0.0/40' is neither an address nor a range such as 10.0.0.0/8 or fd00::/8",
  )
})
