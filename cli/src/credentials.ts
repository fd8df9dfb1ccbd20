import { execFile } from 'node:child_process'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { type AwsFiles, configSection, type Environment, readAwsFiles, setting } from './aws-config.ts'
import { CliError, usageError } from './errors.ts'

/** Gives credentials that are valid now; asks again where they come from once they are close to their expiry. */
export type CredentialSource = () => Promise<Credentials>

type Issued = Credentials & {
  /** Milliseconds since 1970; absent when they do not expire or do not say so. */
  expires?: number
}

/** Credentials this close to their end are replaced: they must outlive the request that they sign. */
const REFRESH_BEFORE_MS = 5 * 60_000
const PROCESS_TIMEOUT_MS = 60_000
const PROCESS_MAX_OUTPUT = 64 * 1024

/** A person with one set of static credentials in a file may change it under a session that lasts a day. */
const REREAD_AFTER_MS = 60_000

/**
 * The order of the AWS CLI: environment, credentials file, `credential_process`, config file. As there, a profile
 * that is asked for by name (`--profile`) outranks the environment's keys, one that AWS_PROFILE names does not.
 */
export const credentialSource = (
  profile: string | undefined,
  env: Environment,
  now: () => number = Date.now,
): CredentialSource => {
  let issued: Promise<Issued> | undefined
  let staleAt = 0
  return async () => {
    if (issued === undefined || now() >= staleAt) {
      staleAt = Number.POSITIVE_INFINITY
      issued = findCredentials(profile, env)
      issued.then(
        ({ expires }) => {
          staleAt = expires === undefined ? now() + REREAD_AFTER_MS : expires - REFRESH_BEFORE_MS
        },
        () => {
          issued = undefined
        },
      )
    }
    const { accessKeyId, secretAccessKey, sessionToken } = await issued
    return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
  }
}

const findCredentials = async (named: string | undefined, env: Environment): Promise<Issued> => {
  const fromEnvironment = named === undefined ? environmentCredentials(env) : undefined
  if (fromEnvironment !== undefined) return fromEnvironment
  const profile = named ?? (env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE || 'default')
  const files = await readAwsFiles(env)
  const found = await profileCredentials(files, profile)
  if (found !== undefined) return found
  throw usageError(explainMissing(files, profile, named !== undefined))
}

const environmentCredentials = (env: Environment): Issued | undefined => {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env
  if (!id && !secret) return undefined
  if (!id || !secret) {
    const [set, missing] = id
      ? ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
      : ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID']
    throw usageError(`The environment has ${set} but not ${missing}. Set both, or neither to use a profile.`)
  }
  return { accessKeyId: id, secretAccessKey: secret, ...(token ? { sessionToken: token } : {}) }
}

const profileCredentials = async (files: AwsFiles, profile: string): Promise<Issued | undefined> => {
  const inCredentials = files.credentials.get(profile)
  const inConfig = configSection(files, profile)
  const fromFile = staticCredentials(inCredentials, files.credentialsPath, profile)
  if (fromFile !== undefined) return fromFile
  const command = setting(inCredentials, 'credential_process') ?? setting(inConfig, 'credential_process')
  if (command !== undefined) return runCredentialProcess(command, profile)
  return staticCredentials(inConfig, files.configPath, profile)
}

const staticCredentials = (section: ReturnType<typeof configSection>, path: string, profile: string) => {
  const id = setting(section, 'aws_access_key_id')
  const secret = setting(section, 'aws_secret_access_key')
  const token = setting(section, 'aws_session_token')
  if (id === undefined && secret === undefined) return undefined
  if (id === undefined || secret === undefined) {
    const missing = id === undefined ? 'aws_access_key_id' : 'aws_secret_access_key'
    throw usageError(`Profile "${profile}" in ${path} has no ${missing}.`)
  }
  return { accessKeyId: id, secretAccessKey: secret, ...(token ? { sessionToken: token } : {}) }
}

/** `credential_process` of the AWS tools: a command whose stdout is a JSON object with `Version: 1`. */
const runCredentialProcess = async (command: string, profile: string): Promise<Issued> => {
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      '/bin/sh',
      ['-c', command],
      { timeout: PROCESS_TIMEOUT_MS, maxBuffer: PROCESS_MAX_OUTPUT },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout)
        const why =
          stderr.trim() || (error.killed ? `no answer in ${PROCESS_TIMEOUT_MS / 1000} s` : error.message)
        reject(new CliError(`The credential_process of profile "${profile}" failed: ${why}`))
      },
    )
    child.stdin?.end()
  })
  return parseIssued(output, profile)
}

const parseIssued = (output: string, profile: string): Issued => {
  const broken = (why: string) =>
    // Never the output itself: it holds the secret.
    new CliError(
      `The credential_process of profile "${profile}" printed ${why}; see the AWS documentation of it.`,
    )
  let answer: Record<string, unknown>
  try {
    answer = Object(JSON.parse(output))
  } catch {
    throw broken('something other than JSON')
  }
  const { Version, AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer
  if (Version !== 1) throw broken('no "Version": 1')
  if (typeof AccessKeyId !== 'string' || typeof SecretAccessKey !== 'string') {
    throw broken('no AccessKeyId and SecretAccessKey')
  }
  const expires = typeof Expiration === 'string' ? Date.parse(Expiration) : Number.NaN
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    ...(typeof SessionToken === 'string' && SessionToken !== '' ? { sessionToken: SessionToken } : {}),
    ...(Number.isNaN(expires) ? {} : { expires }),
  }
}

const explainMissing = (files: AwsFiles, profile: string, named: boolean): string => {
  const inConfig = configSection(files, profile)
  if (
    setting(inConfig, 'role_arn') ||
    setting(inConfig, 'sso_session') ||
    setting(inConfig, 'sso_start_url')
  ) {
    return (
      `Profile "${profile}" in ${files.configPath} gets its credentials through a role or SSO, which this program ` +
      `does not do itself. Let the aws CLI do it: add a profile with\n` +
      `  credential_process = aws configure export-credentials --profile ${profile} --format process`
    )
  }
  const known = [...new Set([...files.credentials.keys(), ...[...files.config.keys()].flatMap(profileName)])]
  return [
    `No credentials found for profile "${profile}". Looked for:`,
    named
      ? '  (the environment was passed over, because a profile was asked for)'
      : '  AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment',
    `  [${profile}] in ${files.credentialsPath}`,
    `  [${profile === 'default' ? profile : `profile ${profile}`}] in ${files.configPath}`,
    known.length === 0 ? 'There are no profiles in these files.' : `Profiles there are: ${known.join(', ')}.`,
  ].join('\n')
}

const profileName = (title: string): string[] => {
  if (title === 'default') return [title]
  return title.startsWith('profile ') ? [title.slice('profile '.length)] : []
}
