import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openPty } from '../pty/pty.ts'
import { loginShell } from './login-shell.ts'
import { findInPasswd, type SessionUser } from './passwd.ts'

const ann: SessionUser = { name: 'ann', uid: 1234, gid: 5678, home: '/nowhere', shell: '/bin/sh' }

const runIn = async (start: ReturnType<typeof loginShell>, owner?: { uid: number; gid: number }) => {
  const pty = openPty({ ...start, cols: 200, rows: 24, ...(owner && { owner }) })
  let text = ''
  pty.onData(chunk => {
    text += Buffer.from(chunk).toString()
  })
  const { exitCode } = await pty.exited
  return { text: text.replaceAll('\r\n', '\n'), exitCode }
}

describe('what is started', () => {
  test('without root is the login shell itself, or the program', () => {
    expect(loginShell(ann, { asRoot: false })).toMatchObject({ file: '/bin/sh', args: ['-l'], cwd: '/' })
    expect(loginShell(ann, { asRoot: false, program: ['ls', '-l'] })).toMatchObject({
      file: 'ls',
      args: ['-l'],
    })
    expect(loginShell({ ...ann, home: '/tmp' }, { asRoot: false }).cwd).toBe('/tmp')
  })

  test('as root is setpriv with every id and group of the user, and the bounding set untouched', () => {
    const { file, args } = loginShell(ann, { asRoot: true, setprivPaths: ['/no/setpriv', '/bin/sh'] })
    expect(file).toBe('/bin/sh')
    expect(args).toEqual([
      '--reuid=1234',
      '--regid=5678',
      '--init-groups',
      '--inh-caps=-all',
      '--',
      '/bin/sh',
      '-l',
    ])
  })

  test('has an environment from nothing but the locale of the agent', () => {
    const locale = {
      LANG: 'de_DE.UTF-8',
      LC_TIME: 'C',
      TZ: 'UTC',
      LD_PRELOAD: '/x',
      LC_X1: 'no',
      BASH_ENV: '/x',
      PATH: '/evil',
    }
    expect(loginShell(ann, { asRoot: false, locale }).env).toEqual({
      HOME: '/nowhere',
      USER: 'ann',
      LOGNAME: 'ann',
      SHELL: '/bin/sh',
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      PWD: '/',
      TERM: 'xterm-256color',
      LANG: 'de_DE.UTF-8',
      LC_TIME: 'C',
      TZ: 'UTC',
    })
    expect(loginShell(ann, { asRoot: false }).env.LANG).toBe('C.UTF-8')
  })
})

describe('what is refused', () => {
  test.each(['/usr/sbin/nologin', '/sbin/nologin', '/bin/false'])(
    'the shell %s, except for ssm-user',
    shell => {
      expect(() => loginShell({ ...ann, shell }, { asRoot: false })).toThrow(
        `the login shell of 'ann' is ${shell}, so the account takes no logins`,
      )
      expect(loginShell({ ...ann, name: 'ssm-user', shell }, { asRoot: false }).file).toMatch(/\/(ba)?sh$/)
    },
  )

  test('a shell that is not installed', () => {
    expect(() => loginShell({ ...ann, shell: '/bin/no-sh' }, { asRoot: false })).toThrow(
      '/bin/no-sh, is not installed',
    )
    expect(() => loginShell({ ...ann, shell: 'sh' }, { asRoot: false })).toThrow('sh, is not installed')
  })

  test('root as session user, and a node without a setpriv that can drop it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'setpriv-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    writeFileSync(join(directory, 'busybox'), '')
    const applet = join(directory, 'setpriv')
    symlinkSync('busybox', applet)
    expect(() => loginShell({ ...ann, uid: 0 }, { asRoot: true })).toThrow('sessions do not run as root')
    expect(() => loginShell(ann, { asRoot: true, setprivPaths: ['/no/setpriv'] })).toThrow(
      'setpriv of util-linux is not installed (looked for /no/setpriv)',
    )
    expect(() => loginShell(ann, { asRoot: true, setprivPaths: [applet] })).toThrow('apk add setpriv')
  })
})

test('the own user gets a working login shell', async () => {
  const { username, uid, gid, homedir } = userInfo()
  const own = { name: username, uid, gid, home: homedir, shell: '/bin/sh' }
  const command = 'printf "%s|" "$HOME" "$USER" "$TERM"; id -u; exit 4'
  const { text, exitCode } = await runIn(loginShell(own, { asRoot: false, program: ['sh', '-c', command] }))
  expect(text).toBe(`${homedir}|${username}|xterm-256color|${uid}\n`)
  expect(exitCode).toBe(4)
})

describe.runIf(process.getuid?.() === 0)('with root dropped', () => {
  const passwd = readFileSync('/etc/passwd', 'utf8')
  const daemon = { ...(findInPasswd(passwd, 'daemon') ?? ann), shell: '/bin/sh' }

  test('no id, group or capability of root is left', async () => {
    const command =
      'id; grep -E "^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs)" /proc/self/status'
    const { text } = await runIn(loginShell(daemon, { asRoot: true, program: ['sh', '-c', command] }), daemon)
    const { uid, gid } = daemon
    expect(text).not.toContain('root')
    expect(text).toContain(
      `Uid:\t${[uid, uid, uid, uid].join('\t')}\nGid:\t${[gid, gid, gid, gid].join('\t')}\n`,
    )
    expect(text).toMatch(new RegExp(`Groups:\\t${gid} ?\\n`))
    const none = '0'.repeat(16)
    expect(text).toContain(`CapInh:\t${none}\nCapPrm:\t${none}\nCapEff:\t${none}\n`)
    expect(text).toContain(`CapAmb:\t${none}\nNoNewPrivs:\t0\n`)
    expect(text, 'sudo needs the bounding set').not.toContain(`CapBnd:\t${none}`)
  })

  test('the terminal belongs to the user and can be opened by name', async () => {
    const command = 'stat -c %U:%a "$(tty)"; echo opened >"$(tty)"; cat /etc/shadow'
    const { text, exitCode } = await runIn(
      loginShell(daemon, { asRoot: true, program: ['sh', '-c', command] }),
      daemon,
    )
    expect(text).toContain('daemon:620\nopened\n')
    expect(text).toContain('/etc/shadow: Permission denied')
    expect(exitCode).toBe(1)
  })
})
