// `npm test`: provides the programs the tests run, builds the product, runs the unit and the end-to-end tests.
// Arguments go to vitest: `npm test -- e2e/shell.test.ts -t resize`. The last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { provideProgramsForTests } from './programs.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const vitest = path.join(root, 'node_modules/vitest/vitest.mjs')
const filters = process.argv.slice(2)
const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-test-'))

try {
  finish(testAll())
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function testAll() {
  let env
  try {
    env = { ...process.env, ...provideProgramsForTests() }
  } catch (error) {
    console.error(error.message)
    return [{ passed: 0, failed: 1, skipped: 0 }]
  }
  if (runNode(env, 'scripts/build.mjs') !== 0) {
    console.error('The build failed, so no test ran.')
    return [{ passed: 0, failed: 1, skipped: 0 }]
  }
  const unit = testProject('unit', env)
  const removeUser = addSsmUser()
  try {
    // They wait a lot, for time-outs above all: two at once take little more than half of the time.
    const more = { SALLYPORT_TEST_TWO_AT_ONCE: 'yes' }
    return [unit, testProject('e2e', { ...env, ...more }, '--maxWorkers=2')]
  } finally {
    removeUser()
  }
}

/**
 * The first session of an agent that is root makes the user `ssm-user`, and a test takes it away again: while others
 * are in its sessions. So it is there all the time. Answers with what restores the machine.
 */
function addSsmUser() {
  const known = spawnSync('id', ['ssm-user']).status === 0
  if (process.getuid?.() !== 0 || known) return () => {}
  spawnSync('useradd', ['-m', '-s', '/bin/bash', 'ssm-user'])
  return () => spawnSync('userdel', ['-r', 'ssm-user'])
}

function testProject(project, env, ...options) {
  const report = path.join(folder, `${project}.json`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  // What the filters name is mostly in one of the two projects only.
  const empty = filters.length > 0 ? ['--passWithNoTests'] : []
  const arguments_ = ['run', '--project', project, ...options, ...reporters, ...empty, ...filters]
  const status = runNode(env, vitest, ...arguments_)
  const counts = readReport(report)
  // Errors outside of tests, a crash or an empty project turn up in the exit status alone.
  if (status !== 0 && counts.failed === 0) {
    counts.failed = 1
    counts.names.push(`${project}: vitest ended with status ${status}, though no test failed`)
  }
  return counts
}

function runNode(env, ...args) {
  const { status, signal, error } = spawnSync(process.execPath, args, {
    cwd: root,
    env,
    stdio: ['ignore', 1, 2],
  })
  if (error) console.error(error.message)
  if (signal) console.error(`${args[0]} ended by ${signal}`)
  return status ?? 1
}

/** A file that could not be loaded has no test to count: it counts as one that failed. */
function readReport(file) {
  let report
  try {
    report = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { passed: 0, failed: 0, skipped: 0, names: [] }
  }
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some(test => test.status === 'failed'),
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
    names: [...broken.map(({ name }) => name), ...report.testResults.flatMap(failedTests)],
  }
}

function failedTests({ name, assertionResults }) {
  const file = path.relative(root, name)
  return assertionResults
    .filter(({ status }) => status === 'failed')
    .map(
      ({ fullName, failureMessages }) =>
        `${file}: ${fullName}\n    ${failureMessages[0]?.split('\n')[0] ?? ''}`,
    )
}

function finish(results) {
  const sum = name => results.reduce((total, counts) => total + counts[name], 0)
  const passed = sum('passed')
  let failed = sum('failed')
  if (passed + failed === 0) {
    console.error(`No test matches ${filters.join(' ')}`)
    failed = 1
  }
  if (sum('skipped') > 0) console.log(`${sum('skipped')} skipped`)
  // Once more at the end, which is what one sees of a long log.
  for (const name of results.flatMap(({ names = [] }) => names)) console.log(`failed: ${name}`)
  process.exitCode = failed === 0 ? 0 : 1
  console.log(`${passed} passed, ${failed} failed`)
}
