import { defineConfig } from 'vitest/config'

/** Of expect.poll where a test says nothing else: on a shared machine what takes a moment may take seconds. */
const POLL_MS = 10_000

/** On a shared machine a terminal or a process may starve for seconds. A retried test is named in the output. */
const RETRIES = process.env.CI ? 1 : 0

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{protocol,server,agent,cli,console}/src/**/*.test.ts', 'e2e/architecture.test.ts'],
          isolate: false,
          // A property test that takes a second may take ten on a shared machine.
          testTimeout: 30_000,
          expect: { poll: { timeout: POLL_MS } },
          retry: RETRIES,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude: ['e2e/architecture.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: POLL_MS } },
          // Two at once want an `ssm-user` that neither makes and takes away: scripts/test.mjs sees to that.
          fileParallelism: process.env.SALLYPORT_TEST_TWO_AT_ONCE !== undefined,
          retry: RETRIES,
        },
      },
    ],
  },
})
