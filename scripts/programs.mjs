// The programs that the end-to-end tests run: finds them, and installs what is missing where that is possible.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
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
  top: 'procps',
  openssl: 'openssl',
  curl: 'curl',
  rsync: 'rsync',
  haproxy: 'haproxy',
  'update-ca-certificates': 'ca-certificates',
  python3: 'python3',
  initdb: 'postgresql',
  // Without the package that makes a service of it.
  mariadbd: 'mariadb-server-core',
  mariadb: 'mariadb-client-core',
  'mariadb-dump': 'mariadb-client',
}
/** Debian 12 and Ubuntu 24.04 have version 2 under this name; what a Python of one's own installs is version 1. */
const AWS_PACKAGE = 'awscli'
/** A module, not a program: whichever Python has it will do, and a Python of one's own on PATH may not. */
const BOTO3_PACKAGE = 'python3-boto3'
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin']
/** PostgreSQL's programs are in a folder for each version; those for its clients are found on PATH as well. */
const POSTGRESQL_FOLDER = '/usr/lib/postgresql'
/** Asked by every package that would start a service (deb-systemd-invoke(1p), invoke-rc.d(8)). */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d'
const NO_SERVICES = '#!/bin/sh\nexit 101\n'

/** PATH with the folders of system programs, which the PATH of an ordinary user lacks. */
export function searchPath() {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean)
  return [...new Set([...folders, ...SYSTEM_FOLDERS, ...postgresqlFolders()])]
}

/** Of the newest version only: initdb and postgres have to be of the same. */
function postgresqlFolders() {
  if (!existsSync(POSTGRESQL_FOLDER)) return []
  const versions = readdirSync(POSTGRESQL_FOLDER).sort((a, b) => Number(b) - Number(a))
  return versions.slice(0, 1).map(version => path.join(POSTGRESQL_FOLDER, version, 'bin'))
}

/**
 * Makes sure that every program is there and returns the environment that the tests need to find them:
 * PATH, SALLYPORT_TEST_AWS2, SALLYPORT_TEST_PYTHON (one with boto3) and, where there is one, SALLYPORT_TEST_AWS1.
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
    SALLYPORT_TEST_PYTHON: findPythonWithBoto3(),
    ...(aws1 === undefined ? {} : { SALLYPORT_TEST_AWS1: aws1 }),
  }
}

function missingPackages() {
  const missing = Object.keys(PACKAGES).filter(name => findPrograms(name).length === 0)
  const packages = missing.map(name => PACKAGES[name])
  if (findAws(2) === undefined) packages.push(AWS_PACKAGE)
  if (findPythonWithBoto3() === undefined) packages.push(BOTO3_PACKAGE)
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

function findPythonWithBoto3() {
  return findPrograms('python3').find(file => {
    const { status } = spawnSync(file, ['-c', 'import boto3'], { stdio: 'ignore', timeout: 30_000 })
    return status === 0
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
  withoutServices(() => aptGet('install', '-qq', '-y', '--no-install-recommends', ...packages))
}

/** A database server or a proxy for tests is not to run as a service of this machine. */
function withoutServices(action) {
  if (existsSync(SERVICE_POLICY)) return action()
  // Ctrl-C ends apt-get; here it only makes sure that the file does not stay.
  const stay = () => {}
  process.on('SIGINT', stay)
  writeFileSync(SERVICE_POLICY, NO_SERVICES, { mode: 0o755 })
  try {
    action()
  } finally {
    rmSync(SERVICE_POLICY, { force: true })
    process.off('SIGINT', stay)
  }
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
