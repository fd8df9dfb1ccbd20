// The programs that the end-to-end tests run: finds them, and installs what is missing where that is possible.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import path from 'node:path'

/** Program → its package in Debian and Ubuntu. */
const PACKAGES = {
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  sshd: 'openssh-server',
  ip: 'iproute2',
  nft: 'nftables',
  setpriv: 'util-linux',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  tmux: 'tmux',
  vim: 'vim',
  script: 'bsdutils',
  stty: 'coreutils',
  openssl: 'openssl',
  python3: 'python3',
}
/** Debian 12 and Ubuntu 24.04 have version 2 under this name; what a Python of one's own installs is version 1. */
const AWS_PACKAGE = 'awscli'
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin']

/** PATH with the folders of system programs, which the PATH of an ordinary user lacks. */
export function searchPath() {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean)
  return [...new Set([...folders, ...SYSTEM_FOLDERS])]
}

/**
 * Makes sure that every program is there and returns the environment that the tests need to find them:
 * PATH, SALLYPORT_TEST_AWS2 and, where there is one, SALLYPORT_TEST_AWS1.
 * Throws an error that says what to install.
 */
export function provideProgramsForTests() {
  let missing = missingPackages()
  if (missing.length > 0 && canInstall()) {
    install(missing)
    missing = missingPackages()
  }
  if (missing.length > 0) {
    const why = 'The tests run against these programs and never skip what they cannot run.'
    throw new Error(`Missing packages: ${missing.join(' ')}. ${why}\n${adviceFor(missing)}`)
  }
  const aws1 = findAws(1)
  return {
    PATH: searchPath().join(path.delimiter),
    SALLYPORT_TEST_AWS2: findAws(2),
    ...(aws1 === undefined ? {} : { SALLYPORT_TEST_AWS1: aws1 }),
  }
}

function missingPackages() {
  const missing = Object.keys(PACKAGES).filter(name => findPrograms(name).length === 0)
  const packages = missing.map(name => PACKAGES[name])
  if (findAws(2) === undefined) packages.push(AWS_PACKAGE)
  return [...new Set(packages)]
}

function findPrograms(name) {
  return searchPath()
    .map(folder => path.join(folder, name))
    .filter(file => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** The first `aws` of that major version that really runs; a version manager's shim on PATH may hide another one. */
function findAws(major) {
  return findPrograms('aws').find(file => {
    const { stdout, stderr } = spawnSync(file, ['--version'], { encoding: 'utf8', timeout: 30_000 })
    // Version 1 for Python 2 wrote its version to standard error.
    return new RegExp(`^aws-cli/${major}\\.`).test(stdout || stderr || '')
  })
}

function canInstall() {
  return process.getuid?.() === 0 && findPrograms('apt-get').length > 0
}

function adviceFor(packages) {
  const aws2 = packages.includes(AWS_PACKAGE) ? ' The tests need version 2 of the AWS CLI in particular.' : ''
  return `Install them: sudo apt-get install --no-install-recommends ${packages.join(' ')}${aws2}`
}

function install(packages) {
  console.log(`Installing what the tests need: ${packages.join(' ')}`)
  aptGet('update', '-qq')
  aptGet('install', '-qq', '-y', '--no-install-recommends', ...packages)
}

/** Quiet unless it fails. Another apt-get is waited for. */
function aptGet(...args) {
  const { status, stdout, stderr } = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (status !== 0) console.error(`apt-get ${args.join(' ')} failed:\n${stdout}${stderr}`)
}
