import { randomUUID } from 'node:crypto'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { connect, openConnect, openSession } from './remote-shell.ts'
import { binDirectory, type Node, Service, type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// The agent on its machine: its command line, what it keeps, and whom its sessions run as.

const sallyport = `${binDirectory}/sallyport`
const isRoot = process.getuid?.() === 0
const PREFERENCES = 'SSM-SessionManagerRunShell'

let stack: Stack

beforeAll(async () => {
  stack = await startStack()
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

let preferences = 0

/** Stores session preferences, the first or the next version of them. */
async function setPreferences(inputs: object): Promise<void> {
  const file = join(stack.directory, 'preferences.json')
  const content = { schemaVersion: '1.0', description: 'test', sessionType: 'Standard_Stream', inputs }
  await writeFile(file, JSON.stringify(content))
  const document = ['--name', PREFERENCES, '--content', `file://${file}`]
  if (++preferences === 1)
    return await stack.api('create-document', '--document-type', 'Session', ...document)
  await stack.api('update-document', '--document-version', '$LATEST', ...document)
  const version = ['--document-version', String(preferences)]
  await stack.api('update-document-default-version', '--name', PREFERENCES, ...version)
}

async function sessionInHistory(sessionId: string) {
  const filter = `key=SessionId,value=${sessionId}`
  return (await stack.api('describe-sessions', '--state', 'History', '--filters', filter)).Sessions[0]
}

const agent = (...args: string[]) => run(sallyport, ['agent', ...args], { env: stack.env })

describe('the command line of the agent', () => {
  const register = (
    stateDirectory: string,
    activation: { ActivationId: string; ActivationCode: string },
    ...more: string[]
  ) => {
    const options = ['--state-dir', stateDirectory, '--endpoint', stack.endpoint, '--ca-hash', stack.caHash]
    const { ActivationId: id, ActivationCode: code } = activation
    return agent('register', ...options, '--activation-id', id, '--activation-code', code, ...more)
  }
  const activate = (...args: string[]) =>
    stack.api('create-activation', '--iam-role', 'SSMServiceRole', ...args)
  const fresh = () => join(stack.directory, `fresh-${randomUUID()}`)

  test('status tells a running agent from a stopped one and from none', async () => {
    const { id, stateDirectory, process: running } = await stack.addNode('short-lived')
    expect(await agent('status', '--state-dir', stateDirectory)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        new RegExp(
          `^node +${id}\nendpoint +${stack.endpoint}\nregion +us-east-1\nagent +online since \\S+ \\(process ${running.pid}\\)\n$`,
        ),
      ),
    })
    await running.stop()
    expect(await agent('status', '--state-dir', stateDirectory)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/agent +not running\n$/),
    })
    expect(await agent('status', '--state-dir', fresh())).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('not registered'),
    })
  })

  test('a second agent on the same state is refused', async () => {
    const { stateDirectory, process: running } = stack.node
    const { code, stderr } = await agent('run', '--state-dir', stateDirectory)
    expect(code).toBe(1)
    expect(stderr).toBe(
      `sallyport agent: the agent of ${stateDirectory} runs already, as process ${running.pid}.\n`,
    )
    expect(await agent('status', '--state-dir', stateDirectory)).toMatchObject({ code: 0 })
  })

  test('what a crashed agent has left behind is no other agent, whoever has its number now', async () => {
    const stateDirectory = fresh()
    await register(stateDirectory, await activate())
    const left = { pid: process.pid, online: true, since: new Date().toISOString() }
    await writeFile(join(stateDirectory, 'status.json'), JSON.stringify(left))
    expect((await agent('status', '--state-dir', stateDirectory)).stdout).toContain('agent     not running')
    const running = stack.startAgent(stateDirectory)
    await running.waitForLine(/"message":"online"/)
    await running.stop()
  })

  test('an agent that is not registered says so', async () => {
    const { code, stderr } = await agent('run', '--state-dir', fresh())
    expect(code).toBe(1)
    expect(stderr).toMatch(/not registered .*Run `sallyport agent register` first/)
  })

  test('registering twice takes --force', async () => {
    const stateDirectory = fresh()
    const activation = await activate('--registration-limit', '3')
    const first = await register(stateDirectory, activation)
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Registered as mi-[0-9a-f]{17}\./),
    })
    const second = await register(stateDirectory, activation)
    const id = /mi-[0-9a-f]+/.exec(first.stdout)?.[0]
    expect(second).toMatchObject({
      code: 1,
      stderr: `sallyport agent: this machine is already registered as ${id}. Add --force to register it anew.\n`,
    })
    const third = await register(stateDirectory, activation, '--force')
    expect(third.code).toBe(0)
    expect(third.stdout).not.toContain(id)
  })

  test('a CA with another hash is not trusted', async () => {
    const stateDirectory = fresh()
    const wrong = `sha256:${'0'.repeat(64)}`
    const { code, stderr } = await register(stateDirectory, await activate(), '--ca-hash', wrong)
    expect(code).toBe(1)
    expect(stderr).toBe(
      `sallyport agent: ${stack.endpoint} presents a CA with hash ${stack.caHash}, not ${wrong}. ` +
        'Either the hash was mistyped, or this is not your server: do not go on.\n',
    )
    expect(await agent('status', '--state-dir', stateDirectory)).toMatchObject({ code: 1 })
  })

  test('a server with a CA of its own is not trusted without its hash', async () => {
    const { ActivationId, ActivationCode } = await activate()
    const secrets = ['--activation-id', ActivationId, '--activation-code', ActivationCode]
    const args = ['--state-dir', fresh(), '--endpoint', stack.endpoint, ...secrets]
    const { code, stderr } = await agent('register', ...args)
    expect(code).toBe(1)
    expect(stderr).toContain(`The certificate of ${stack.endpoint} is not trusted here. Give --ca-hash`)
  })

  test('a wrong code, a used one and an expired one are told apart, in AWS’s words', async () => {
    const good = await activate()
    const wrong = await register(fresh(), { ...good, ActivationCode: 'ABCDEFGHIJKLMNOPQRST' })
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('InvalidActivation') })
    expect(await register(fresh(), good)).toMatchObject({ code: 0 })
    const used = await register(fresh(), good)
    expect(used).toMatchObject({ code: 1, stderr: expect.stringContaining('RegistrationLimitExceeded') })
    expect(used.stderr).toContain('Create a new one.')

    const soon = new Date(Date.now() + 1_500).toISOString()
    const short = await activate('--expiration-date', soon)
    const filter = `FilterKey=ActivationIds,FilterValues=${short.ActivationId}`
    await expect
      .poll(
        async () => (await stack.api('describe-activations', '--filters', filter)).ActivationList[0].Expired,
        {
          timeout: 10_000,
        },
      )
      .toBe(true)
    expect(await register(fresh(), short)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ActivationExpired'),
    })
  })

  test('what the agent keeps is for nobody else', async () => {
    const { stateDirectory } = stack.node
    expect((await stat(stateDirectory)).mode & 0o777).toBe(0o700)
    const files = await readdir(stateDirectory)
    expect(files).toContain('registration.json')
    for (const file of files) {
      const found = await stat(join(stateDirectory, file))
      expect([file, found.mode & 0o777]).toEqual([file, found.isDirectory() ? 0o700 : 0o600])
    }
  })
})

describe('the end of a node', () => {
  test('SIGTERM to the agent ends its sessions with all their processes, and tells their users', async () => {
    const node = await stack.addNode('stopped')
    await using shell = await connect(stack, [node.id])
    const processes = await shell.processes()
    await shell.run('sleep 600 & nohup sleep 601 > /dev/null 2>&1 & true')
    expect(processes().length).toBeGreaterThanOrEqual(3)
    await node.process.stop()
    expect(processes()).toEqual([])
    const { said, restored } = await shell.ended()
    expect(said).toContain('The agent on the node was stopped.')
    expect(restored).toBe(true)
  })

  test('a killed agent that is started again ends the sessions of its former life, for their users too', async () => {
    const node = await stack.addNode('killed')
    await using shell = await connect(stack, [node.id])
    await using kept = await connect(stack)
    const inBackground = (...args: string[]) => new Service(sallyport, args, stack.env)
    await using forward = inBackground('forward', node.id, ':22')
    await forward.waitForLine(/^Forwarding /)
    await using command = inBackground('exec', node.id, '--', 'sh', '-c', 'echo pid $$; exec sleep 600')
    const pid = Number(/pid (\d+)/.exec(await command.waitForLine(/^pid \d+$/))?.[1])
    // Without a terminal it does not notice that its agent has gone.
    onTestFinished(() => void process.kill(pid))
    await node.process.kill('SIGKILL')
    const since = performance.now()
    await stack.startNode(node.stateDirectory)
    const reason = 'The agent on the node was restarted.'
    const { said, status, restored } = await shell.ended()
    expect({ status, restored }).toEqual({ status: 1, restored: true })
    expect(said).toContain(`sallyport: ${reason}`)
    expect([await forward.exitStatus, await command.exitStatus]).toEqual([1, 255])
    expect(performance.now() - since).toBeLessThan(10_000)
    for (const { output } of [forward, command]) expect(output).toContain(reason)
    expect(await sessionInHistory(shell.sessionId)).toMatchObject({ Status: 'Terminated', Details: reason })
    expect(await kept.run('echo undisturbed')).toBe('undisturbed')
    await using next = await connect(stack, [node.id])
    expect(await next.run('echo anew')).toBe('anew')
  })

  test('deregistering it ends its sessions and takes its credentials', async () => {
    const node = await stack.addNode('deregistered')
    await using shell = await connect(stack, [node.id])
    const processes = await shell.processes()
    await stack.api('deregister-managed-instance', '--instance-id', node.id)
    expect(await shell.ended()).toMatchObject({ restored: true })
    await expect.poll(processes, { timeout: 5_000 }).toEqual([])
    expect(await sessionInHistory(shell.sessionId)).toMatchObject({ Status: 'Terminated' })
    const { InstanceInformationList } = await stack.api('describe-instance-information')
    expect(InstanceInformationList).not.toContainEqual(expect.objectContaining({ InstanceId: node.id }))
    await using late = openConnect(stack, [node.id])
    const { said } = await late.ended()
    expect(said).toMatch(/was deregistered .* ago/)
    await node.process.waitForLine(/deregistered|not registered/)
  })
})

// A machine of its own for these: as root, since accounts are made; with private copies of the account files, so
// that nothing of it stays.
describe.runIf(isRoot)('whom a session runs as', () => {
  const ALICE = 4711
  const PRIVATE = 'mount --bind "$0/etc" /etc && mount --bind "$0/home" /home && exec "$@" 9< /etc/shadow'
  let machine: string
  let through: string[]
  let node: Node

  beforeAll(async () => {
    machine = await mkdtemp(join(tmpdir(), 'sallyport-machine-'))
    await chmod(machine, 0o755)
    await cp('/etc', join(machine, 'etc'), { recursive: true, verbatimSymlinks: true })
    for (const file of ['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid']) {
      await withoutSsmUser(join(machine, 'etc', file))
    }
    await mkdir(join(machine, 'etc/sudoers.d'), { recursive: true })
    await rm(join(machine, 'etc/sudoers.d/ssm-agent-users'), { force: true })
    await mkdir(join(machine, 'home/alice'), { recursive: true })
    await chown(join(machine, 'home/alice'), ALICE, ALICE)
    const passwd = join(machine, 'etc/passwd')
    await writeFile(passwd, `alice:x:${ALICE}:${ALICE}::/home/alice:/bin/bash\n`, { flag: 'a' })
    await writeFile(join(machine, 'etc/group'), `alice:x:${ALICE}:\n`, { flag: 'a' })
    through = ['unshare', '--mount', '--', '/bin/sh', '-c', PRIVATE, machine]
    node = await stack.addNode('private', { through })
  })

  afterAll(async () => {
    await node?.process.stop()
    // The account is in the private files, not on this machine.
    if (node) await rm(join(node.stateDirectory, 'created-ssm-user'), { force: true })
    await rm(machine, { recursive: true, force: true })
  })

  test('as ssm-user, which is made at the first session, with sudo', async () => {
    const passwd = () => readFile(join(machine, 'etc/passwd'), 'utf8')
    expect(await passwd()).not.toContain('ssm-user')
    const [first, second] = await Promise.all([connect(stack, [node.id]), connect(stack, [node.id])])
    await using shell = first
    await using other = second
    expect(await shell.run('id -un; pwd; echo $HOME')).toBe('ssm-user\n/home/ssm-user\n/home/ssm-user')
    expect(await other.run('id -un')).toBe('ssm-user')
    expect(await passwd()).toMatch(/^ssm-user:x:\d+:\d+::\/home\/ssm-user:\/bin\/bash$/m)
    const sudoers = join(machine, 'etc/sudoers.d/ssm-agent-users')
    expect(await readFile(sudoers, 'utf8')).toMatch(/^ssm-user ALL=\(ALL\) NOPASSWD:ALL$/m)
    expect((await stat(sudoers)).mode & 0o777).toBe(0o440)
  })

  test('without the rights, the groups, the environment and the files of the agent', async () => {
    await using shell = await connect(stack, [node.id])
    expect(
      await shell.run('id -u; grep -E "^(CapEff|CapPrm|CapInh|CapAmb)" /proc/self/status | sort -u -k2'),
    ).toMatch(/^[1-9]\d*\nCap\w+:\t0{16}$/)
    expect(await shell.run('id -G')).toBe(await shell.run('id -g'))
    expect(await shell.run('env | grep -E "AWS|SALLYPORT"; true')).toBe('')
    await using other = await connect(stack, [node.id])
    const [terminal, ...open] = (await other.run('tty; readlink /proc/$$/fd/*')).split('\n')
    expect(open).toContain(terminal)
    expect(open.filter(path => path !== terminal && path !== '/dev/null' && path !== '/dev/tty')).toEqual([])
    expect(await shell.run(`cat ${node.stateDirectory}/registration.json`)).toContain('Permission denied')
  })

  test('as the run-as user of the preferences, with their shell profile', async () => {
    await setPreferences({
      runAsEnabled: true,
      runAsDefaultUser: 'alice',
      shellProfile: { linux: 'export GREETING="good morning"; cd /tmp' },
    })
    await using shell = await connect(stack, [node.id])
    expect(await shell.run('id -un; pwd; echo $GREETING; echo $HOME')).toBe(
      'alice\n/tmp\ngood morning\n/home/alice',
    )
  })

  test("as the operating system user of the person's tag, and as nobody without one", async () => {
    await setPreferences({ runAsEnabled: true, runAsDefaultUser: '' })
    await using refused = openSession(stack, ['--target', node.id])
    expect((await refused.ended()).said).toMatch(
      /\(InvalidDocument\) .*aws iam tag-user --user-name admin --tags Key=SSMSessionRunAs,Value=NAME/,
    )
    const iam = async (...args: string[]) => {
      const { code, stdout, stderr } = await stack.aws('iam', ...args, '--user-name', 'admin')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return stdout === '' ? undefined : JSON.parse(stdout)
    }
    await iam('tag-user', '--tags', 'Key=SSMSessionRunAs,Value=alice')
    try {
      expect((await iam('list-user-tags')).Tags).toEqual([{ Key: 'SSMSessionRunAs', Value: 'alice' }])
      await using shell = await connect(stack, [node.id])
      expect(await shell.run('id -un; echo $HOME')).toBe('alice\n/home/alice')
    } finally {
      await iam('untag-user', '--tag-keys', 'SSMSessionRunAs')
    }
    expect((await iam('list-user-tags')).Tags).toEqual([])
  })

  test('a run-as user that the node does not have', async () => {
    await setPreferences({ runAsEnabled: true, runAsDefaultUser: 'nobody-there' })
    const problem = "run-as user 'nobody-there' does not exist on this node"
    await using own = openConnect(stack, [node.id])
    const { said, status, restored } = await own.ended()
    expect(said).toContain(problem)
    expect({ status, restored }).toEqual({ status: 1, restored: true })
    const id = /Session (\S+) on/.exec(said)?.[1] ?? ''
    expect(await sessionInHistory(id)).toMatchObject({
      Status: 'Failed',
      Details: expect.stringContaining(problem),
    })
    await using stock = openSession(stack, ['--target', node.id])
    expect((await stock.ended()).said).toContain(problem)
  })

  test('root is refused, and so is a name that would be an option', async () => {
    for (const [user, why] of [
      ['root', 'sessions do not run as root'],
      ['-u0', 'is not a valid user name'],
    ] as const) {
      await setPreferences({ runAsEnabled: true, runAsDefaultUser: user })
      await using shell = openConnect(stack, [node.id])
      expect((await shell.ended()).said).toContain(why)
    }
  })

  test('an agent without root serves shells as itself', async () => {
    await setPreferences({ runAsEnabled: false })
    const home = await mkdtemp(join(tmpdir(), 'sallyport-alice-'))
    await chown(home, ALICE, ALICE)
    const asAlice = [...through, 'setpriv', `--reuid=${ALICE}`, `--regid=${ALICE}`, '--clear-groups']
    const own = { through: asAlice, env: { HOME: home } }
    const stateDirectory = join(home, 'state')
    await stack.registerNode(stateDirectory, 'unprivileged', own)
    const { id, process: running } = await stack.startNode(stateDirectory, own)
    try {
      await using shell = await connect(stack, [id])
      expect(await shell.run('id -un; id -u; test -w "$(tty)" && echo writable')).toBe(
        'alice\n4711\nwritable',
      )
      const processes = await shell.processes()
      await shell.type('exit 7\r')
      expect(await shell.ended()).toMatchObject({ status: 7, restored: true })
      await expect.poll(processes).toEqual([])
    } finally {
      await running.stop()
      await rm(home, { recursive: true })
    }
  })
})

async function withoutSsmUser(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text !== undefined) await writeFile(file, text.replace(/^ssm-user:.*\n/gm, ''))
}
