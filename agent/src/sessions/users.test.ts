import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findInPasswd, findUser } from './passwd.ts'
import { type Run, runProgram } from './run-program.ts'
import { createdSsmUser, removeSudoers, writeSudoers } from './ssm-user.ts'
import { resolveSessionUser } from './users.ts'

const temporary = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'users-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

const nobody: Run = async () => ({ exitCode: 2, output: '', problem: '' })
const asRoot = { runAsEnabled: true, asRoot: true }

describe('passwd', () => {
  test('entries are found by their whole name, and broken ones are no entries', () => {
    const text =
      'ann:x:1:2:Ann,,,:/home/ann:/bin/zsh\nannie:x:3:4::/home/annie:\nbad:x:-1:0::/:/bin/sh\nno:x\n+::::::\n'
    expect(findInPasswd(text, 'ann')).toEqual({
      name: 'ann',
      uid: 1,
      gid: 2,
      home: '/home/ann',
      shell: '/bin/zsh',
    })
    expect(findInPasswd(text, 'annie')?.shell).toBe('/bin/sh')
    expect(['an', 'bad', 'no', 'x'].map(name => findInPasswd(text, name))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  test('names that are not in the file are asked of getent', async () => {
    const calls: string[] = []
    const run: Run = async (command, args) => {
      calls.push([command, ...args].join(' '))
      return { exitCode: 0, output: 'ldap.ann:*:70001:70002:Ann:/home/ann:/bin/bash\n', problem: '' }
    }
    expect((await findUser('ldap.ann', run))?.uid).toBe(70001)
    expect((await findUser('root', run))?.uid).toBe(0)
    expect(calls).toEqual(['getent passwd ldap.ann'])
  })

  test('getent of the real host answers', async () => {
    expect((await findUser('root', runProgram, '/nonexistent'))?.uid).toBe(0)
    expect(await findUser('no-such-user-here', runProgram)).toBeUndefined()
  })
})

describe('run-as', () => {
  test.each(['-oops', 'a b', 'a;b', '../x', 'a:b', 'a\nb', '0', '', 'x'.repeat(33), '$(id)'])(
    'refuses the name %j before any program sees it',
    async runAsUser => {
      const run: Run = () => Promise.reject(new Error('must not run'))
      await expect(resolveSessionUser({ ...asRoot, runAsUser, run })).rejects.toThrow(
        /is not a valid user name|no user is given/,
      )
    },
  )

  test('needs a user that exists and is not root', async () => {
    await expect(resolveSessionUser({ ...asRoot, runAsUser: 'nosuch', run: nobody })).rejects.toThrow(
      "Unable to start the session: run-as user 'nosuch' does not exist on this node. Create it, or change runAsDefaultUser",
    )
    await expect(resolveSessionUser({ ...asRoot, runAsUser: 'root' })).rejects.toThrow("'root' has uid 0")
    const gidZero: Run = async () => ({ exitCode: 0, output: 'ops:x:44:0::/:/bin/sh\n', problem: '' })
    await expect(resolveSessionUser({ ...asRoot, runAsUser: 'ops', run: gidZero })).rejects.toThrow(
      "'ops' has gid 0",
    )
    expect((await resolveSessionUser({ ...asRoot, runAsUser: 'daemon' })).name).toBe('daemon')
  })

  test('to another user is refused by an agent without root, to its own it is not', async () => {
    const own = userInfo().username
    await expect(
      resolveSessionUser({ runAsEnabled: true, runAsUser: 'nosuch', asRoot: false }),
    ).rejects.toThrow(`the agent on this node runs as '${own}' and only root can change users`)
    const { name, uid } = await resolveSessionUser({ runAsEnabled: true, runAsUser: own, asRoot: false })
    expect({ name, uid }).toEqual({ name: own, uid: process.getuid?.() })
    expect((await resolveSessionUser({ runAsEnabled: false, asRoot: false })).name).toBe(own)
  })
})

describe('sudoers', () => {
  test('is written once, with mode 0440, by nothing but a rename', async () => {
    const directory = temporary()
    await writeSudoers(directory)
    const path = join(directory, 'ssm-agent-users')
    expect(readdirSync(directory)).toEqual(['ssm-agent-users'])
    expect(statSync(path).mode & 0o777).toBe(0o440)
    expect(readFileSync(path, 'utf8').split('\n')[1]).toBe('ssm-user ALL=(ALL) NOPASSWD:ALL')
    chmodSync(path, 0o600)
    writeFileSync(path, 'changed by the administrator\n')
    await writeSudoers(directory)
    expect(readFileSync(path, 'utf8')).toBe('changed by the administrator\n')
    expect(await removeSudoers(directory)).toBe(false)
  })

  test('is not written where sudo is not installed, and is removed when ours', async () => {
    const directory = temporary()
    await writeSudoers(join(directory, 'absent'))
    expect(readdirSync(directory)).toEqual([])
    await writeSudoers(directory)
    expect(await removeSudoers(directory)).toBe(true)
    expect(await removeSudoers(directory)).toBe(false)
  })
})

describe('ssm-user', () => {
  const accountExists = readFileSync('/etc/passwd', 'utf8').includes('\nssm-user:')

  test.skipIf(accountExists)('without useradd is an error that says what to do', async () => {
    const run: Run = async command => ({
      exitCode: command === 'useradd' ? 127 : 2,
      output: '',
      problem: 'ENOENT',
    })
    await expect(resolveSessionUser({ runAsEnabled: false, asRoot: true, run })).rejects.toThrow(
      "this node has no useradd. Create the user 'ssm-user' on this node, or enable Run As with a user that exists.",
    )
    const failing: Run = async () => ({
      exitCode: 9,
      output: '',
      problem: 'useradd: group ssm-user exists\n',
    })
    await expect(resolveSessionUser({ runAsEnabled: false, asRoot: true, run: failing })).rejects.toThrow(
      "useradd could not create 'ssm-user' (useradd: group ssm-user exists)",
    )
  })

  test.runIf(process.getuid?.() === 0 && !accountExists)(
    'is really created, once, with its sudo rule',
    async () => {
      const directory = temporary()
      onTestFinished(async () => {
        await runProgram('userdel', ['-r', 'ssm-user'])
      })
      const counted: string[] = []
      const run: Run = (command, args) => {
        counted.push(command)
        return runProgram(command, args)
      }
      const stateDirectory = join(directory, 'state')
      const options = { runAsEnabled: false, asRoot: true, stateDirectory, sudoersDirectory: directory, run }
      expect(createdSsmUser(stateDirectory)).toBe(false)
      const [user, same] = await Promise.all([resolveSessionUser(options), resolveSessionUser(options)])
      expect(same).toEqual(user)
      expect(user).toMatchObject({
        name: 'ssm-user',
        home: '/home/ssm-user',
        shell: expect.stringMatching(/sh$/),
      })
      expect(user.uid).toBeGreaterThan(0)
      expect(statSync('/home/ssm-user').uid).toBe(user.uid)
      expect(readdirSync(directory).sort()).toEqual(['ssm-agent-users', 'state'])
      expect(createdSsmUser(stateDirectory)).toBe(true)
      rmSync(join(directory, 'ssm-agent-users'))
      expect(await resolveSessionUser(options)).toEqual(user)
      expect(readdirSync(directory), 'an account that exists gets no sudo rule').toEqual(['state'])
      expect(counted.filter(command => command === 'useradd')).toHaveLength(1)
    },
  )
})
