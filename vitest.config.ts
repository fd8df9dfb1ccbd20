import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{protocol,server,agent,cli,console}/src/**/*.test.ts', 'e2e/architecture.test.ts'],
          isolate: false,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude: ['e2e/architecture.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          // On a shared machine a terminal may starve for seconds. A retried test is named in the output.
          retry: process.env.CI ? 1 : 0,
        },
      },
    ],
  },
})
