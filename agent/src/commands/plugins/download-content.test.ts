import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { scene, temporaryDirectory } from '../testing-document.ts'

const download = (inputs: Record<string, unknown>) => ({
  schemaVersion: '2.2',
  mainSteps: [{ action: 'aws:downloadContent', name: 'get', inputs }],
})

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise(resolve => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const fromHttp = (url: string, destinationPath = '', more: Record<string, unknown> = {}) =>
  download({
    sourceType: 'HTTP',
    sourceInfo: JSON.stringify({ url, allowInsecureDownload: true, ...more }),
    destinationPath,
  })

test('a file of the web goes below the downloads, and the next step runs there', async () => {
  const url = await serve((_, response) => response.end('#!/bin/sh\necho from the web\n'))
  const document = fromHttp(`${url}/path/script.sh?x=1`, 'scripts/')
  document.mainSteps.push({
    action: 'aws:runShellScript',
    name: 'run',
    inputs: { runCommand: ['scripts/script.sh'], workingDirectory: '' },
  } as never)
  const { run, request } = scene(document)
  const { steps } = await run()
  const file = join(request.directory, 'downloads', 'scripts', 'script.sh')
  expect(steps).toMatchObject([
    { status: 'Success', standardOutput: `Content downloaded to ${file}` },
    { status: 'Success', standardOutput: 'from the web\n' },
  ])
  expect(statSync(file).mode & 0o777).toBe(0o700)
})

test('destinations', async () => {
  const url = await serve((_, response) => response.end('content'))
  const elsewhere = temporaryDirectory()
  const where = async (destinationPath: string) => {
    const { run, request } = scene(fromHttp(`${url}/a/name.txt`, destinationPath))
    const { steps } = await run()
    return (steps[0]?.standardOutput || steps[0]?.standardError)
      ?.replace(request.directory, 'D')
      .replace('Content downloaded to ', '')
  }
  expect(await where('')).toBe('D/downloads/name.txt')
  expect(await where('other.txt')).toBe('D/downloads/other.txt')
  expect(await where('a/b/other.txt')).toBe('D/downloads/a/b/other.txt')
  expect(await where(elsewhere)).toBe(join(elsewhere, 'name.txt'))
  expect(await where(join(elsewhere, 'new', 'x'))).toBe(join(elsewhere, 'new', 'x'))
  expect(await where('../x')).toContain('leads out')
  expect(await where('../../../etc/cron.d/x')).toContain('leads out')
})

test('nothing is written through a link below the downloads', async () => {
  const url = await serve((_, response) => response.end('content'))
  const outside = temporaryDirectory()
  writeFileSync(join(outside, 'precious'), 'precious')
  const withLink = () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'downloads'), { mode: 0o700 })
    symlinkSync(outside, join(directory, 'downloads', 'link'))
    symlinkSync(join(outside, 'precious'), join(directory, 'downloads', 'file'))
    return directory
  }
  expect((await scene(fromHttp(`${url}/f`, 'link/x'), { directory: withLink() }).run()).status).toBe('Failed')
  expect((await scene(fromHttp(`${url}/f`, 'file'), { directory: withLink() }).run()).status).toBe('Success')
  expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('precious')
  expect(readdirSync(outside)).toEqual(['precious'])
})

test('what is no https is asked for expressly; other answers than 200 fail; redirects are followed, not for ever', async () => {
  const seen: string[] = []
  const url = await serve((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization ?? '-'}`)
    if (request.url === '/gone') response.writeHead(404).end()
    else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end()
    else if (request.url === '/moved') response.writeHead(301, { location: '/real' }).end()
    else response.end('content')
  })
  const errorOf = async (path: string, more: Record<string, unknown> = {}) =>
    (await scene(fromHttp(`${url}${path}`, 'x', more)).run()).steps[0]?.standardError
  expect(await errorOf('/real', { allowInsecureDownload: false })).toContain('without TLS')
  expect(await errorOf('/gone')).toMatch(/answered 404 Not Found$/)
  expect(await errorOf('/loop')).toBe('More than 5 redirects.')
  const basic = { authMethod: 'Basic', userName: 'user', password: '{{ssm-secure:pw}}' }
  seen.length = 0
  const server = {
    GetParameters: () => ({ Parameters: [{ Name: 'pw', Type: 'SecureString', Value: 's3cret' }] }),
  }
  const { run, calls } = scene(fromHttp(`${url}/moved`, 'x', basic), { server })
  expect(await run()).toMatchObject({ status: 'Success' })
  expect(calls[0]?.input).toEqual({ Names: ['pw'], WithDecryption: true })
  const authorization = `Basic ${Buffer.from('user:s3cret').toString('base64')}`
  expect(seen).toEqual([`/moved ${authorization}`, `/real ${authorization}`])
  const other = await serve((request, response) => response.end(request.headers.authorization ?? 'none'))
  const away = await serve((_, response) => response.writeHead(302, { location: `${other}/x` }).end())
  const redirected = scene(fromHttp(`${away}/x`, 'x', { ...basic, password: 'p' }))
  await redirected.run()
  expect(readFileSync(join(redirected.request.directory, 'downloads', 'x'), 'utf8')).toBe('none')
})

test('the metadata of the platform is not to be had, neither directly nor by a redirect', async () => {
  const url = await serve((_, response) =>
    response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
  )
  for (const from of [
    'http://169.254.169.254/x',
    'http://[fd00:ec2::254]/x',
    'http://0xA9FEA9FE/x',
    `${url}/x`,
  ]) {
    const { steps } = await scene(fromHttp(from, 'x')).run()
    expect([from, steps[0]?.standardError]).toEqual([from, expect.stringContaining("node's own platform")])
  }
  const git = download({ sourceType: 'Git', sourceInfo: { repository: 'http://169.254.169.254/repo' } })
  expect((await scene(git).run()).steps[0]?.standardError).toContain("node's own platform")
})

test('what is too large is not downloaded, and leaves nothing behind', async () => {
  const url = await serve((_, response) => {
    response.writeHead(200, { 'content-length': String(2 * 1024 ** 3) })
    response.write('x')
  })
  const { run, request } = scene(fromHttp(`${url}/large`))
  expect((await run()).steps[0]?.standardError).toContain('more than 1073741824')
  expect(existsSync(join(request.directory, 'downloads'))).toBe(false)
})

test('a cancel ends a download', async () => {
  const cancel = new AbortController()
  const url = await serve((_, response) => {
    response.write('x')
    setImmediate(() => cancel.abort())
  })
  const { run, request } = scene(fromHttp(`${url}/slow`), { signal: cancel.signal })
  expect((await run()).steps).toMatchObject([{ status: 'Cancelled', code: 137 }])
  const downloads = join(request.directory, 'downloads')
  expect(existsSync(downloads) ? readdirSync(downloads) : []).toEqual([])
})

function repository(): { url: string; first: string } {
  const directory = temporaryDirectory()
  const [work, bare] = [join(directory, 'work'), join(directory, 'bare.git')]
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-C', work, ...args], {
      stdio: 'pipe',
    })
      .toString()
      .trim()
  mkdirSync(work)
  git('init', '--quiet', '--initial-branch=main')
  writeFileSync(join(work, 'run.sh'), 'echo first\n')
  mkdirSync(join(work, 'sub'))
  writeFileSync(join(work, 'sub', 'file'), 'deep')
  symlinkSync('/etc/passwd', join(work, 'link'))
  git('add', '.')
  git('commit', '--quiet', '-m', 'first')
  const first = git('rev-parse', 'HEAD')
  writeFileSync(join(work, 'run.sh'), 'echo second\n')
  git('commit', '--quiet', '-a', '-m', 'second')
  git('branch', 'feature/x')
  execFileSync('git', ['clone', '--quiet', '--bare', work, bare])
  return { url: `file://${bare}`, first }
}

test('a git repository, at its head, at a branch, at a commit', async () => {
  const { url, first } = repository()
  const get = async (getOptions: string) => {
    const { run, request } = scene(
      download({ sourceType: 'Git', sourceInfo: { repository: url, getOptions }, destinationPath: 'repo' }),
    )
    const { steps } = await run()
    const at = join(request.directory, 'downloads', 'repo')
    expect(readdirSync(join(request.directory, 'get'))).toEqual(['stderr', 'stdout'])
    if (steps[0]?.status !== 'Success') return steps[0]?.standardError
    expect(readdirSync(at).sort()).toEqual(['link', 'run.sh', 'sub'])
    expect(readFileSync(join(at, 'sub', 'file'), 'utf8')).toBe('deep')
    return readFileSync(join(at, 'run.sh'), 'utf8')
  }
  expect(await get('')).toBe('echo second\n')
  expect(await get('branch:feature/x')).toBe('echo second\n')
  expect(await get(`commitID:${first}`)).toBe('echo first\n')
  expect(await get('branch:no-such')).toContain('no-such')
  expect(await get('branch:--upload-pack=touch /tmp/pwned')).toContain('which is no branch')
  expect(await get('commitID:HEAD; id')).toContain('which is no commit')
  expect(await get('nonsense')).toContain('getOptions must be')
}, 30_000)

test('git starts no other programs, and secrets are not told', async () => {
  const get = async (sourceInfo: Record<string, unknown>) => {
    const { run, log } = scene(download({ sourceType: 'Git', sourceInfo }))
    const { steps } = await run()
    return `${steps[0]?.standardError} ${steps[0]?.output} ${log.join()}`
  }
  const mark = join(temporaryDirectory(), 'mark')
  expect(await get({ repository: `ext::sh -c "touch ${mark}"` })).toContain('not allowed')
  expect(existsSync(mark)).toBe(false)
  const url = await serve((_, response) =>
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
  )
  const inUrl = await get({ repository: url.replace('//', '//user:t0psecret@') })
  expect(inUrl).toContain('could not be downloaded')
  expect(inUrl).not.toContain('t0psecret')
  const asked = await get({ repository: url, username: 'user', password: 't0psecret' })
  expect(asked).toContain('could not be downloaded')
  expect(asked).not.toContain('t0psecret')
}, 30_000)

test('a document of the server is written as a file', async () => {
  const { run, request } = scene(
    download({ sourceType: 'SSMDocument', sourceInfo: '{"name":"My-Document:2"}', destinationPath: '' }),
    { server: { GetDocument: () => ({ Content: '{"schemaVersion":"2.2"}' }) } },
  )
  expect((await run()).status).toBe('Success')
  const file = join(request.directory, 'downloads', 'My-Document.json')
  expect(readFileSync(file, 'utf8')).toBe('{"schemaVersion":"2.2"}')
})

test.each([
  [{}, 'SourceType must be specified'],
  [{ sourceType: 'HTTP' }, 'SourceInfo must be specified'],
  [{ sourceType: 'HTTP', sourceInfo: '{' }, 'JSON'],
  [{ sourceType: 'HTTP', sourceInfo: { url: 'ftp://x/y' } }, 'begins with ftp:'],
  [{ sourceType: 'HTTP', sourceInfo: { url: 'https://example.com/' } }, 'names no file'],
  [{ sourceType: 'HTTP', sourceInfo: { url: 'https://x/y', authMethod: 'Digest' } }, "authMethod 'Digest'"],
  [{ sourceType: 'S3', sourceInfo: { path: 'https://s3/x' } }, 'S3 is not available'],
  [{ sourceType: 'FTP', sourceInfo: {} }, 'Unsupported source type'],
  [{ sourceType: 'GitHub', sourceInfo: { owner: '../x', repository: 'y' } }, 'owner and the repository'],
  [{ sourceType: 'Git', sourceInfo: {} }, 'no repository'],
])('%j', async (inputs, words) => {
  const { steps } = await scene(download(inputs)).run()
  expect(steps[0]).toMatchObject({ status: 'Failed', code: 1, standardError: expect.stringContaining(words) })
})
