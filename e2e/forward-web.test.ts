import { createHash, randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { reaches } from './network-namespace.ts'
import { NetworkScene } from './network-scene.ts'
import { Service } from './stack.ts'

// The web application of a private instance at http://localhost:8080 of one's laptop, as the guides have it: the
// instance only allows outbound traffic, and that to nothing but the server.

const APPLICATION = fileURLToPath(new URL('./web-application.mjs', import.meta.url))
const PORTS = [8080, 80]

let scene: NetworkScene
let application: Service

beforeAll(async () => {
  scene = await NetworkScene.create((network, stack) => network.allowOutboundOnlyTo(stack.httpsPort))
  const [file = '', ...args] = [...scene.network.through, process.execPath, APPLICATION, ...PORTS.map(String)]
  application = new Service(file, args, {})
  for (const port of PORTS) await application.waitForLine(new RegExp(`^listening on ${port}$`))
})

afterEach(async () => {
  await scene.interruptAll()
})

afterAll(async () => {
  await application?.stop()
  await scene?.[Symbol.asyncDispose]()
})

async function curl(...args: string[]): Promise<string> {
  return (await scene.run(['curl', '--silent', '--show-error', '--fail', ...args])).stdout
}

test('nobody reaches the application where it is', async () => {
  expect(await reaches('127.0.0.1', 8080, scene.network.through)).toBe(true)
  for (const port of PORTS) {
    expect(await reaches(scene.network.inside, port)).toBe(false)
    expect(await reaches(scene.network.inside, port, scene.laptop.through)).toBe(false)
  }
})

/** Word for word but for the instance's id. */
const GUIDES: Array<[command: () => string, url: string, title: string]> = [
  [
    () => `aws ssm start-session \\
     --target ${scene.node.id} \\
     --document-name AWS-StartPortForwardingSession \\
     --parameters "portNumber=8080,localPortNumber=8080"`,
    'http://localhost:8080',
    'Dashboard of port 8080',
  ],
  [
    () => `aws ssm start-session \\
    --target ${scene.node.id} \\
    --document-name AWS-StartPortForwardingSession \\
    --parameters '{"portNumber":["80"], "localPortNumber":["56789"]}'`,
    'http://localhost:56789',
    'Dashboard of port 80',
  ],
  [
    () => `aws ssm start-session \\
    --target ${scene.node.id} \\
    --document-name AWS-StartPortForwardingSession \\
    --parameters '{"portNumber":["8080"],"localPortNumber":["8080"]}'`,
    'http://localhost:8080',
    'Dashboard of port 8080',
  ],
]

test.each(GUIDES)(
  'the command of a guide brings the application to the laptop (%#)',
  async (command, url, title) => {
    await scene.aws(command())
    expect(await curl(url)).toBe(`<title>${title}</title>`)
    await scene.interruptAll()
    await expect(curl(url)).rejects.toThrow('Failed to connect')
  },
)

test('the application works at http://localhost:8080 as it does at home', async () => {
  expect(await scene.sallyportForward('8080')).toBe(8080)
  const url = 'http://localhost:8080'

  // curl counts the connections it had to make: keep-alive is kept.
  const pages = [`${url}/1`, `${url}/2`, `${url}/3`]
  const written = ['--output', '/dev/null', '--output', '/dev/null', '--output', '/dev/null']
  expect(await curl(...written, '--write-out', '%{http_code} %{num_connects}\n', ...pages)).toBe(
    '200 1\n200 0\n200 0\n',
  )

  const upload = randomBytes(5_000_000)
  const post = ['curl', '--silent', '--data-binary', '@-', `${url}/digest`]
  const { stdout: digest } = await scene.run(post, { input: upload })
  expect(digest).toBe(createHash('sha256').update(upload).digest('hex'))

  // Each event comes when it happens, not when the stream ends, which it never does.
  const events = scene.start(['curl', '--silent', '--no-buffer', `${url}/events`])
  await events.waitFor('data: welcome')
  await curl('--data', 'build 7 is green', `${url}/build`)
  await events.waitFor('data: build 7 is green')

  const { stdout: said } = await scene.run([process.execPath, '-e', WEBSOCKET_CLIENT])
  expect(said).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo= 810548656c6c6f\n')
})

/** Says "Hello" in the bytes of RFC 6455's examples (1.3 and 5.7), and prints what it gets. */
const WEBSOCKET_CLIENT = `
  const key = { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' }
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', ...key }
  const request = require('http').get('http://localhost:8080/terminal', { headers })
  request.on('upgrade', (response, socket) => {
    socket.write(Buffer.from('818537fa213d7f9f4d5158', 'hex'))
    socket.once('data', data => {
      console.log(response.headers['sec-websocket-accept'], data.toString('hex'))
      socket.end()
    })
  })`
