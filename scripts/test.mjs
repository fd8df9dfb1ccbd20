// `npm test`: provides the programs the tests run, builds the product, runs the unit and the end-to-end tests.
// Arguments go to vitest: `npm test -- e2e/shell.test.ts -t resize`. The last line is `N passed, N failed`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
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
  finish(await testAll())
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function testAll() {
  let env
  try {
    env = { ...process.env, ...provideProgramsForTests() }
  } catch (error) {
    console.error(error.message)
    return [{ passed: 0, failed: 1, skipped: 0 }]
  }
  if ((await runNode(env, 'inherit', 'scripts/build.mjs')) !== 0) {
    console.error('The build failed, so no test ran.')
    return [{ passed: 0, failed: 1, skipped: 0 }]
  }
  // What works on sessions waits a lot, for time-outs above all. The rest is done meanwhile, and told at its end.
  const [sessions, others] = await Promise.all([
    testProject('e2e', env, 'inherit'),
    inTurns(['unit', 'e2e-api'], project => testProject(project, env, 'pipe')),
  ])
  return [sessions, ...others]
}

async function inTurns(names, run) {
  const results = []
  for (const name of names) results.push(await run(name))
  return results
}

async function testProject(project, env, output) {
  const report = path.join(folder, `${project}.json`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  // What the filters name is mostly in one of the projects only.
  const empty = filters.length > 0 ? ['--passWithNoTests'] : []
  const arguments_ = ['run', '--project', project, ...reporters, ...empty, ...filters]
  const status = await runNode(env, output, vitest, ...arguments_)
  const counts = readReport(report)
  // Errors outside of tests, a crash or an empty project turn up in the exit status alone.
  if (status !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}

/** `output` is `inherit`, or `pipe` to have all of it at the end. Answers the exit status. */
async function runNode(env, output, ...args) {
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', output, output] })
  const chunks = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => chunks.push(chunk))
  try {
    const [status, signal] = await once(child, 'close')
    process.stdout.write(Buffer.concat(chunks))
    if (signal) console.error(`${args[0]} ended by ${signal}`)
    return status ?? 1
  } catch (error) {
    console.error(error.message)
    return 1
  }
}

/** A file that could not be loaded has no test to count: it counts as one that failed. */
function readReport(file) {
  let report
  try {
    report = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { passed: 0, failed: 0, skipped: 0 }
  }
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some(test => test.status === 'failed'),
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
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
  process.exitCode = failed === 0 ? 0 : 1
  console.log(`${passed} passed, ${failed} failed`)
}
