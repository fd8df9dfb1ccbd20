import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Run } from './sessions/run-program.ts'
import { writeSudoers } from './sessions/ssm-user.ts'
import { installUnit, uninstallUnit } from './systemd.ts'
import { unitText } from './systemd-unit.ts'

const host = (exitCodes: Record<string, number> = {}) => {
  const root = mkdtempSync(join(tmpdir(), 'systemd-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const calls: string[] = []
  const run: Run = async (command, args) => {
    const call = [command, ...args].join(' ')
    calls.push(call)
    const exitCode = exitCodes[call] ?? 0
    return { exitCode, output: '', problem: exitCode === 0 ? '' : 'it broke' }
  }
  const unitDirectory = join(root, 'units')
  const sudoersDirectory = join(root, 'sudoers.d')
  const stateDirectory = join(root, 'state')
  mkdirSync(sudoersDirectory)
  mkdirSync(stateDirectory)
  const unit = join(unitDirectory, 'sallyport-agent.service')
  return { root, calls, run, unitDirectory, sudoersDirectory, stateDirectory, unit, systemdRunning: true }
}

const program = { execPath: '/usr/local/bin/sallyport', args: ['agent', 'run'] }

test('the unit text is this', () => {
  const text = unitText({ ...program, stateDirectory: '/var/lib/sallyport-agent' })
  const settings = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  expect(settings).toEqual([
    '[Unit]',
    'Description=Sallyport agent',
    'After=network.target nss-user-lookup.target',
    'RequiresMountsFor=/var/lib/sallyport-agent',
    'StartLimitIntervalSec=0',
    '[Service]',
    'Type=simple',
    'ExecStart=/usr/local/bin/sallyport agent run',
    'WorkingDirectory=/',
    'Restart=always',
    'RestartSec=2',
    'KillMode=mixed',
    'TimeoutStopSec=15',
    'OOMPolicy=continue',
    'TasksMax=infinity',
    '[Install]',
    'WantedBy=multi-user.target',
  ])
  expect(text).not.toMatch(/^(Environment|NoNewPrivileges|Protect|Private)/m)
})

test('words of the command line that systemd would split or expand are quoted', () => {
  const text = unitText({
    execPath: '/opt/my agent/run',
    args: ['--name=100%', '$HOME', 'say "hi"', 'back\\slash', '--plain=a:b', ''],
    stateDirectory: '/var/a $b%',
  })
  expect(text).toContain(
    'ExecStart="/opt/my agent/run" "--name=100%%" "$$HOME" "say \\"hi\\"" "back\\\\slash" --plain=a:b ""\n',
  )
  expect(text).toContain('RequiresMountsFor="/var/a $b%%"\n')
  expect(() => unitText({ ...program, args: ['a\nUser=nobody'], stateDirectory: '/var/x' })).toThrow(
    /line break/,
  )
  expect(() => unitText({ ...program, execPath: 'sallyport', stateDirectory: '/var/x' })).toThrow(
    /must be absolute/,
  )
})

test('installing writes the unit, reloads, enables and starts', async () => {
  const { unit, calls, ...options } = host()
  expect(await installUnit({ ...program, ...options })).toEqual({ path: unit, started: true, commands: [] })
  expect(calls).toEqual([
    'systemctl daemon-reload',
    'systemctl enable sallyport-agent.service',
    'systemctl restart sallyport-agent.service',
  ])
  expect(readFileSync(unit, 'utf8')).toBe(unitText({ ...program, ...options }))
  expect(statSync(unit).mode & 0o777).toBe(0o644)
  expect(readdirSync(options.unitDirectory)).toEqual(['sallyport-agent.service'])
})

test('without a running systemd the commands are told and nothing is run', async () => {
  const { calls, ...options } = host()
  const { started, commands } = await installUnit({ ...program, ...options, systemdRunning: false })
  expect({ started, calls }).toEqual({ started: false, calls: [] })
  expect(commands).toEqual([
    'systemctl daemon-reload',
    'systemctl enable sallyport-agent.service',
    'systemctl restart sallyport-agent.service',
  ])
})

test('a failing systemctl is an error that names the command', async () => {
  const options = host({ 'systemctl enable sallyport-agent.service': 1 })
  await expect(installUnit({ ...program, ...options })).rejects.toThrow(
    'systemctl enable sallyport-agent.service failed: it broke. See: journalctl -u sallyport-agent.service',
  )
})

test('uninstalling leaves nothing', async () => {
  const { calls, unit, ...options } = host()
  await installUnit({ ...program, ...options })
  await writeSudoers(options.sudoersDirectory)
  writeFileSync(join(options.stateDirectory, 'created-ssm-user'), 'ssm-user\n')
  calls.length = 0
  expect(await uninstallUnit(options)).toEqual({
    removed: [unit, 'sudoers file', 'user ssm-user', options.stateDirectory],
    problems: [],
  })
  expect(calls).toEqual([
    'systemctl disable --now sallyport-agent.service',
    'systemctl daemon-reload',
    'userdel -r ssm-user',
  ])
  expect(readdirSync(options.root).flatMap(name => readdirSync(join(options.root, name)))).toEqual([])
  expect(existsSync(options.stateDirectory)).toBe(false)
  expect(await uninstallUnit(options)).toEqual({ removed: [], problems: [] })
})

test('uninstalling keeps an account and a sudoers file that others made', async () => {
  const { calls, ...options } = host()
  const sudoers = join(options.sudoersDirectory, 'ssm-agent-users')
  writeFileSync(sudoers, '# User rules for ssm-user\nssm-user ALL=(ALL) NOPASSWD:ALL\n')
  const { removed } = await uninstallUnit(options)
  expect({ removed, calls }).toEqual({ removed: [options.stateDirectory], calls: [] })
  expect(existsSync(sudoers)).toBe(true)
})

test('a failed step is told and stops no other, and the record of the account survives for the next try', async () => {
  const { unit, ...options } = host({
    'userdel -r ssm-user': 8,
    'systemctl disable --now sallyport-agent.service': 1,
  })
  await installUnit({ ...program, ...options })
  writeFileSync(join(options.stateDirectory, 'created-ssm-user'), 'ssm-user\n')
  const { removed, problems } = await uninstallUnit(options)
  expect(removed).toEqual([unit])
  expect(problems[0]).toMatch(
    /disable --now sallyport-agent.service failed: it broke.*\(run: systemctl disable/,
  )
  expect(problems[1]).toBe('userdel -r ssm-user failed: it broke (run: userdel -r ssm-user)')
  expect(problems[2]).toContain('was kept')
  expect(existsSync(join(options.stateDirectory, 'created-ssm-user'))).toBe(true)
})

test.each(['/', '/var', 'state', '/var/lib/..', homedir(), `${homedir()}/`, ''])(
  'uninstalling refuses to remove "%s"',
  async stateDirectory => {
    await expect(uninstallUnit({ ...host(), stateDirectory })).rejects.toThrow(/Refusing to remove/)
  },
)
