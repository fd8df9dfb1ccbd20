import { writeFileSync } from 'node:fs'
import { Destination, writeWhole } from '../download/destination.ts'
import { downloadGit, type GitSource } from '../download/git.ts'
import { downloadHttp, refuseDenied } from '../download/http.ts'
import { resolveSecret } from '../download/secret.ts'
import { getDocument } from '../get-document.ts'
import { isObject, type Json, memberOf, textOf } from '../json.ts'
import { type Plugin, type PluginRun, SUCCEEDED } from '../plugin.ts'
import { scriptEnvironment } from '../script-environment.ts'

const GITHUB = 'https://github.com'
const GITHUB_NAME = /^[A-Za-z0-9_.-]{1,100}$/
const TIMEOUT = 3_600_000

/** aws:downloadContent. Answers in words where the content is. */
export const downloadContent: Plugin = async run => {
  const { inputs, output } = run
  const type = textOf(inputs, 'sourceType')
  if (type === '') throw new Error('SourceType must be specified')
  const source = readSource(memberOf(inputs, 'sourceInfo'))
  const destination = new Destination(textOf(inputs, 'destinationPath'), run.downloads)
  const download = Object.hasOwn(SOURCES, type) ? SOURCES[type] : undefined
  if (download === undefined) throw new Error(`Unsupported source type '${type}'.`)
  const signal = AbortSignal.any([run.request.signal, AbortSignal.timeout(TIMEOUT)])
  const path = await download(run, source, destination, signal)
  await output.say('stdout', `Content downloaded to ${path}`)
  return SUCCEEDED
}

type Download = (
  run: PluginRun,
  source: Json,
  destination: Destination,
  signal: AbortSignal,
) => Promise<string>

const SOURCES: Readonly<Record<string, Download>> = {
  HTTP: http,
  Git: git,
  GitHub: gitHub,
  SSMDocument: ssmDocument,
  S3: async () => {
    throw new Error('sourceType S3 is not available on this node yet: use HTTP with the URL of the object.')
  },
}

function readSource(given: unknown): Json {
  if (given === undefined || given === '') throw new Error('SourceInfo must be specified')
  const source: unknown = typeof given === 'string' ? JSON.parse(given) : given
  if (!isObject(source)) throw new Error('sourceInfo must be an object, or the JSON of one.')
  return source
}

async function http(
  run: PluginRun,
  source: Json,
  destination: Destination,
  signal: AbortSignal,
): Promise<string> {
  const { server, environment } = run.request
  const method = textOf(source, 'authMethod') || 'None'
  if (method !== 'None' && method !== 'Basic') {
    throw new Error(`authMethod '${method}' is not available: use None or Basic.`)
  }
  const user = await resolveSecret(textOf(source, 'userName'), server)
  const password = await resolveSecret(textOf(source, 'password'), server)
  const authorization =
    method === 'Basic' ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` : undefined
  const insecure = textOf(source, 'allowInsecureDownload') === 'true'
  return await downloadHttp(
    { url: textOf(source, 'url'), insecure, authorization },
    destination,
    environment.destinations,
    signal,
  )
}

async function git(
  run: PluginRun,
  source: Json,
  destination: Destination,
  signal: AbortSignal,
): Promise<string> {
  const { server } = run.request
  const repository = textOf(source, 'repository')
  if (repository === '') throw new Error('sourceInfo has no repository.')
  const gitSource = {
    repository,
    getOptions: textOf(source, 'getOptions'),
    path: '',
    user: await resolveSecret(textOf(source, 'username'), server),
    password: await resolveSecret(textOf(source, 'password'), server),
    privateKey: await resolveSecret(textOf(source, 'privateSSHKey'), server),
    skipHostKeyChecking: textOf(source, 'skipHostKeyChecking') === 'true',
  }
  return await clone(run, gitSource, destination, signal)
}

async function gitHub(
  run: PluginRun,
  source: Json,
  destination: Destination,
  signal: AbortSignal,
): Promise<string> {
  const [owner, repository] = [textOf(source, 'owner'), textOf(source, 'repository')]
  if (!GITHUB_NAME.test(owner) || !GITHUB_NAME.test(repository)) {
    throw new Error('sourceInfo needs the owner and the repository on GitHub.')
  }
  const password = await resolveSecret(textOf(source, 'tokenInfo'), run.request.server)
  const gitSource = {
    repository: `${GITHUB}/${owner}/${repository}.git`,
    getOptions: textOf(source, 'getOptions'),
    path: textOf(source, 'path'),
    user: password === '' ? '' : 'x-access-token',
    password,
    privateKey: '',
    skipHostKeyChecking: false,
  }
  return await clone(run, gitSource, destination, signal)
}

async function clone(
  run: PluginRun,
  source: GitSource,
  destination: Destination,
  signal: AbortSignal,
): Promise<string> {
  const { environment } = run.request
  if (URL.canParse(source.repository)) {
    const { hostname } = new URL(source.repository)
    refuseDenied(hostname.replace(/^\[|\]$/g, ''), environment.destinations)
  }
  return await downloadGit(source, destination, run.directory, await scriptEnvironment(run), signal)
}

async function ssmDocument(run: PluginRun, source: Json, destination: Destination): Promise<string> {
  const path = textOf(source, 'name')
  if (path === '') throw new Error('sourceInfo has no name of a document.')
  const { name, content } = await getDocument(run.request, path)
  const file = destination.file(`${name}.json`)
  await writeWhole(file, fd => {
    writeFileSync(fd, content)
  })
  return file
}
