import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openSsh } from '../bench/openssh.ts'
import type { RemoteShell } from './remote-shell.ts'
import { type Pairing, pairings, StockScene, stockAgent, stockPlugin } from './stock-scene.ts'
import { download, serveHttp, type TestServer } from './tcp-servers.ts'
import { run } from './terminal.ts'

// The unmodified session-manager-plugin and amazon-ssm-agent, each with the other and with ours. Where they are not
// given there is nothing to run; scripted-stock.test.ts plays them everywhere.

const CTRL_C = '\x03'
const DOWNLOADS = 50
const SMALL = 32 * 1024
const MEGABYTE = 1024 * 1024

const given = stockPlugin !== undefined && stockAgent !== undefined
const note = given ? '' : ' (skipped: SALLYPORT_TEST_STOCK_PLUGIN and SALLYPORT_TEST_STOCK_AGENT are not set)'

describe.runIf(given)(`the unmodified programs${note}`, () => {
  let scene: StockScene
  let web: TestServer
  let page: Buffer

  beforeAll(async () => {
    scene = await StockScene.open(stockAgent ?? '')
    page = randomBytes(SMALL)
    web = await serveHttp((_request, response) => response.end(page))
  })

  afterAll(async () => {
    await web?.[Symbol.asyncDispose]()
    await scene?.[Symbol.asyncDispose]()
  })

  const webPort = () => String(web.port)

  test('an activation registers the agent, and it is Online', async () => {
    const { InstanceInformationList } = await scene.stack.api('describe-instance-information')
    const found = InstanceInformationList.find(
      (node: { InstanceId: string }) => node.InstanceId === scene.nodes.stock,
    )
    expect(found).toMatchObject({
      PingStatus: 'Online',
      AgentVersion: '3.3.0.0',
      PlatformType: 'Linux',
      Name: 'stock',
      IamRole: 'SSMServiceRole',
      ResourceType: 'ManagedInstance',
    })
    expect(await scene.stack.api('get-connection-status', '--target', scene.nodes.stock)).toEqual({
      Target: scene.nodes.stock,
      Status: 'connected',
    })
  })

  test('the agent polls ec2messages and is answered', async () => {
    await scene.stack.server.waitForLine(/"operation":"GetMessages".*"status":200/)
  })

  for (const pairing of pairings) {
    describe(`${pairing.plugin} plugin, ${pairing.agent} agent`, () => {
      test('a shell: typing, output, the size of the window, Ctrl-C, exit', async () => {
        await using shell = await scene.shell(pairing)
        expect(await shell.run('echo $((6 * 7))')).toBe('42')
        await expect.poll(() => shell.run('stty size')).toBe('30 120')
        shell.terminal.resize(100, 40)
        await expect.poll(() => shell.run('stty size')).toBe('40 100')
        expect(await shell.run('seq 1 3000 | cksum; seq 1 3000')).toContain('2999\n3000')
        await shell.type('sh -c "echo runs-\\$((1)); exec sleep 600"\r')
        await shell.terminal.waitFor('runs-1')
        await shell.type(CTRL_C)
        await shell.terminal.waitFor(/[$#] $/)
        await shell.type('echo ended=$?.\r')
        await shell.terminal.waitFor('ended=130.')
        await shell.type('exit\r')
        const { status, said } = await shell.ended()
        expect(said).toContain(`Exiting session with sessionId: ${shell.sessionId}.`)
        expect(status).toBe(0)
        await expect
          .poll(() => scene.session('History', shell.sessionId))
          .toMatchObject({ Status: 'Terminated' })
      })

      test('the administrator terminates a shell', async () => {
        await using shell = await scene.shell(pairing)
        const pid = await shell.run('echo $$')
        expect(pid).toMatch(/^\d+$/)
        await scene.stack.api('terminate-session', '--session-id', shell.sessionId)
        const { status, said } = await shell.ended()
        expect(said).toContain(`SessionId: ${shell.sessionId} : The session was ended by user/admin.`)
        // AWS's plugin has no other status.
        expect(status === 0).toBe(pairing.plugin === 'stock')
        await expect
          .poll(() => scene.session('History', shell.sessionId))
          .toMatchObject({ Status: 'Terminated' })
      })

      test('a shell goes on when its websockets are cut', async () => {
        await using shell = await scene.shell(pairing)
        await shell.run('stty -echo')
        await shell.type('for i in $(seq 400); do echo "n=$i."; sleep 0.01; done; echo done-$((1))\r')
        for (const [round, number] of [50, 150, 250].entries()) {
          await shell.terminal.waitFor(`n=${number}.`)
          scene.toClient.cut()
          // What is typed while it is away ends a stock plugin, so it is waited for.
          await scene.came('client', shell.sessionId, round + 2)
          await shell.terminal.waitFor(`n=${number + 30}.`)
          scene.toAgents.cut()
          await scene.came('agent', shell.sessionId, round + 2)
        }
        await shell.terminal.waitFor('done-1', { timeoutMs: 60_000 })
        const numbers = counted(pairing, shell)
        expect(numbers).toEqual(Array.from({ length: 400 }, (_, index) => index + 1))
        expect(await shell.run('echo still here')).toBe('still here')
      })

      test('a shell goes on when the server is killed and started again', async () => {
        await using shell = await scene.shell(pairing)
        await shell.run('stty -echo')
        await shell.type('for i in $(seq 300); do echo "n=$i."; sleep 0.01; done; echo done-$((1))\r')
        await shell.terminal.waitFor('n=100.')
        await scene.stack.server.kill('SIGKILL')
        await scene.stack.startServer()
        await shell.terminal.waitFor('done-1', { timeoutMs: 60_000 })
        const numbers = counted(pairing, shell)
        expect(numbers).toEqual(Array.from({ length: 300 }, (_, index) => index + 1))
        expect(await shell.run('echo still here')).toBe('still here')
        await scene.online(pairing.agent)
      })

      test(`${DOWNLOADS} downloads at once through one forwarded port`, { timeout: 120_000 }, async () => {
        const portNumber = [webPort()]
        await using forward = await scene.forward(pairing, 'AWS-StartPortForwardingSession', { portNumber })
        const answers = await Promise.all(
          Array.from({ length: DOWNLOADS }, () => download(`http://localhost:${forward.port}/`)),
        )
        expect(answers.map(sha256)).toEqual(answers.map(() => sha256(page)))
        await forward.terminal.waitFor('Connection accepted for session')
        await forward.terminal.send(CTRL_C)
        await forward.terminal.exited
        await expect
          .poll(() => scene.session('History', forward.sessionId), { timeout: 10_000 })
          .toMatchObject({ Status: 'Terminated' })
      })

      test('a port of another host', async () => {
        // All of 127.0.0.0/8 is this machine, but `localhost` is not this address.
        const other = createServer((_request, response) => response.end('here'))
        onTestFinished(() => void other.close())
        other.listen(0, '127.0.0.2')
        await once(other, 'listening')
        const portNumber = [String((other.address() as AddressInfo).port)]
        const parameters = { host: ['127.0.0.2'], portNumber }
        const document = 'AWS-StartPortForwardingSessionToRemoteHost'
        await using forward = await scene.forward(pairing, document, parameters)
        expect(String(await download(`http://localhost:${forward.port}/`))).toBe('here')
        await scene.stack.api('terminate-session', '--session-id', forward.sessionId)
        await forward.terminal.exited
      })

      test('a refused connection closes that connection and no more', async () => {
        const portNumber = ['1']
        await using forward = await scene.forward(pairing, 'AWS-StartPortForwardingSession', { portNumber })
        await expect(download(`http://localhost:${forward.port}/`)).rejects.toThrow()
        await expect(download(`http://localhost:${forward.port}/`)).rejects.toThrow()
        await forward.terminal.waitFor(/[Cc]onnection to destination port failed|refused|cannot connect/)
      })

      test('ssh and scp, both ways', { timeout: 120_000 }, async () => {
        await using sshd = await openSsh('root')
        const via = scene.command(pairing, 'AWS-StartSSHSession', { portNumber: ['%p'] })
        const proxy = `ProxyCommand=${via.map(word => `'${word}'`).join(' ')}`
        const env = scene.env(pairing.plugin)
        const options = ['-F', sshd.configuration, '-o', proxy]
        const hello = await run('ssh', [...options, 'node', 'echo hello; exit 7'], { env })
        expect({ code: hello.code, stdout: hello.stdout }, hello.stderr).toEqual({
          code: 7,
          stdout: 'hello\n',
        })

        const [sent, there, back] = ['sent', 'there', 'back'].map(name => join(scene.stack.directory, name))
        const data = randomBytes(MEGABYTE)
        await writeFile(sent ?? '', data)
        for (const copy of [
          [sent, `node:${there}`],
          [`node:${there}`, back],
        ]) {
          const { code, stderr } = await run('scp', [...options, ...(copy as string[])], { env })
          expect(code, stderr).toBe(0)
        }
        expect(sha256(await readFile(there ?? ''))).toBe(sha256(data))
        expect(sha256(await readFile(back ?? ''))).toBe(sha256(data))
      })

      test('AWS-StartInteractiveCommand', async () => {
        // There is no handshake: a stock plugin takes no input before it has seen output.
        const command = [`sh -c 'echo "Who?"; read -r line; echo "got: $line."; tty'`]
        await using session = scene.open(pairing, 'AWS-StartInteractiveCommand', { command })
        await session.terminal.waitFor('Who?')
        await session.type('mail\r')
        await session.terminal.waitFor('got: mail.')
        await session.terminal.waitFor('/dev/pts/')
        expect((await session.ended()).status).toBe(0)
      })

      test('AWS-StartNonInteractiveCommand', async () => {
        const command = [`sh -c 'echo out; echo err >&2; exit 7'`]
        await using session = scene.open(pairing, 'AWS-StartNonInteractiveCommand', { command })
        const { said } = await session.ended()
        expect(said).toMatch(/out\r*\n/)
        expect(said).toMatch(/err\r*\n/)
      })

      test("a document of one's own, with parameters", async () => {
        await scene.ownDocument()
        await using session = scene.open(pairing, 'Greet', { name: ['World'] })
        await session.terminal.waitFor('Hello, World and Moon!')
        expect((await session.ended()).status).toBe(0)
        const [file = '', ...args] = scene.command(pairing, 'Greet', { name: ['no; rm'] })
        const refused = await run(file, args, { env: scene.env(pairing.plugin) })
        expect(refused.code).not.toBe(0)
        expect(refused.stderr).toMatch(/name/)
      })
    })
  }
})

/**
 * The numbers that were printed. A stock plugin that cannot write its acknowledgement prints the message once more when
 * the agent sends it again.
 */
function counted({ plugin }: Pairing, shell: RemoteShell): number[] {
  const numbers = [...shell.terminal.output().matchAll(/n=(\d+)\./g)].map(([, number]) => Number(number))
  return plugin === 'ours' ? numbers : numbers.filter((number, index) => number !== numbers[index - 1])
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
