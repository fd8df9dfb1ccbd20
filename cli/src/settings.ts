import { readFile } from 'node:fs/promises'
import { configSection, type Environment, readAwsFiles, setting } from './aws-config.ts'
import { type CredentialSource, credentialSource } from './credentials.ts'
import { usageError } from './errors.ts'

/** What the person said on the command line; everything else comes from the environment and the profile. */
export type SettingsOptions = {
  profile?: string | undefined
  region?: string | undefined
  endpointUrl?: string | undefined
  caBundle?: string | undefined
}

export type Settings = {
  endpoint: URL
  region: string
  credentials: CredentialSource
  /** PEM text of the certificates to trust in place of Node's own list. */
  ca?: string
}

type Candidate = readonly [where: string, value: string | undefined]

/**
 * Where the server is, and as whom to speak to it. Flags win over the environment, the environment over the profile;
 * an empty value counts as none. Throws a usage error that lists the places looked at.
 */
export const loadSettings = async (options: SettingsOptions, env: Environment): Promise<Settings> => {
  const candidates = await allCandidates(options, env)
  const region = first('a region', '--region us-east-1', candidates.region)
  const endpoint = first(
    "the server's address",
    '--endpoint-url https://sallyport.example.org',
    candidates.endpoint,
  )
  const ca = await readCaBundle(candidates.ca)
  return {
    endpoint: parseEndpoint(endpoint),
    region: region[1],
    credentials: credentialSource(options.profile || undefined, env),
    ...(ca === undefined ? {} : { ca }),
  }
}

/** Where the server is, if anything says so, and what to trust, for those who are not yet set up any further. */
export const loadEndpoint = async (options: SettingsOptions, env: Environment) => {
  const { endpoint, ca } = await allCandidates(options, env)
  const chosen = endpoint.find(([, value]) => value)
  return {
    endpoint: chosen?.[1] === undefined ? undefined : parseEndpoint([chosen[0], chosen[1]]),
    readCa: () => readCaBundle(ca),
  }
}

const allCandidates = async (options: SettingsOptions, env: Environment) => {
  const profile = options.profile || env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE || 'default'
  const files = await readAwsFiles(env)
  const section = configSection(files, profile)
  const services = files.config.get(`services ${setting(section, 'services')}`)?.get('ssm')
  const inProfile = `of profile "${profile}" in ${files.configPath}`
  const region: Candidate[] = [
    ['--region', options.region],
    ['AWS_REGION', env.AWS_REGION],
    ['AWS_DEFAULT_REGION', env.AWS_DEFAULT_REGION],
    [`region ${inProfile}`, setting(section, 'region')],
  ]
  const endpoint: Candidate[] = [
    ['--endpoint-url', options.endpointUrl],
    ['SALLYPORT_ENDPOINT_URL', env.SALLYPORT_ENDPOINT_URL],
    ['AWS_ENDPOINT_URL_SSM', env.AWS_ENDPOINT_URL_SSM],
    ['AWS_ENDPOINT_URL', env.AWS_ENDPOINT_URL],
    [
      `ssm endpoint_url of the services ${inProfile}`,
      services instanceof Map ? services.get('endpoint_url') : undefined,
    ],
    [`endpoint_url ${inProfile}`, setting(section, 'endpoint_url')],
  ]
  const ca: Candidate[] = [
    ['--ca-bundle', options.caBundle],
    ['AWS_CA_BUNDLE', env.AWS_CA_BUNDLE],
    [`ca_bundle ${inProfile}`, setting(section, 'ca_bundle')],
    // Last: where it is set for a whole machine, it must not undo what the profile says.
    ['SSL_CERT_FILE', env.SSL_CERT_FILE],
  ]
  return { region, endpoint, ca }
}

const first = (
  what: string,
  example: string,
  candidates: readonly Candidate[],
): readonly [string, string] => {
  for (const [where, value] of candidates) if (value) return [where, value]
  const places = candidates.map(([where]) => `  ${where}`).join('\n')
  throw usageError(`Nothing says ${what}. Looked at:\n${places}\nFor example: ${example}`)
}

const parseEndpoint = ([where, value]: readonly [string, string]): URL => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw usageError(`${where} is "${value}": expected an address such as https://sallyport.example.org:8443`)
  }
  return url
}

const readCaBundle = async (candidates: readonly Candidate[]): Promise<string | undefined> => {
  const chosen = candidates.find(([, value]) => value)
  if (chosen?.[1] === undefined) return undefined
  const [where, path] = chosen
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw usageError(
      `${where} names the certificate file ${path}, which cannot be read: ${(error as Error).message}`,
    )
  }
  if (!text.includes('-----BEGIN ')) {
    throw usageError(`${where} names ${path}, which holds no PEM certificate (no "-----BEGIN" line)`)
  }
  return text
}
