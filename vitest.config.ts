import { defineConfig } from 'vitest/config'

/** What starts the product, but no session: nothing on the machine is changed, so it can run beside the rest. */
const withoutSessions = ['authentication', 'iam-roles', 'iam-users', 'policies', 'sdk', 'server-start'].map(
  name => `e2e/${name}.test.ts`,
)

const endToEnd = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  fileParallelism: false,
  // On a shared machine a terminal may starve for seconds. A retried test is named in the output.
  retry: process.env.CI ? 1 : 0,
}

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
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude: ['e2e/architecture.test.ts', ...withoutSessions],
          ...endToEnd,
        },
      },
      { test: { name: 'e2e-api', include: withoutSessions, ...endToEnd } },
    ],
  },
})
