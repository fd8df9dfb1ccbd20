import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { CliError } from './errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Settings of one section. A nested block (`s3 =` and indented lines) is an object. */
export type Section = Map<string, string | Map<string, string>>

export type AwsFiles = {
  credentialsPath: string
  configPath: string
  /** By profile name, from the credentials file. */
  credentials: Map<string, Section>
  /** By section title as written: `default`, `profile x`, `services y`. */
  config: Map<string, Section>
}

/** Reads AWS's two shared files (AWS SDKs and Tools Reference Guide, "shared config and credentials files"). */
export const readAwsFiles = async (env: Environment): Promise<AwsFiles> => {
  const folder = join(env.HOME || homedir(), '.aws')
  const credentialsPath = env.AWS_SHARED_CREDENTIALS_FILE || join(folder, 'credentials')
  const configPath = env.AWS_CONFIG_FILE || join(folder, 'config')
  const [credentials, config] = await Promise.all([readOptional(credentialsPath), readOptional(configPath)])
  return { credentialsPath, configPath, credentials: parseIni(credentials), config: parseIni(config) }
}

const readOptional = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new CliError(`Cannot read ${path}: ${(error as Error).message}`, undefined, { cause: error })
  }
}

/**
 * The dialect of INI that the AWS tools share: `#` and `;` begin a comment at the start of a line or after white
 * space, keys are case-insensitive, a section that comes twice is merged, an indented line belongs to the key above.
 */
export const parseIni = (text: string): Map<string, Section> => {
  const sections = new Map<string, Section>()
  let section: Section | undefined
  let block: Map<string, string> | undefined
  for (const line of text.split(/\r?\n/)) {
    const content = line.replace(/(^|\s)[#;].*$/, '').trim()
    const title = /^\[\s*(.*?)\s*\]$/.exec(content)?.[1]?.replace(/\s+/g, ' ')
    const setting = /^([^=]+?)\s*=\s*(.*)$/.exec(content)
    if (content === '') continue
    if (title !== undefined) {
      section = sections.get(title) ?? new Map()
      sections.set(title, section)
      block = undefined
    } else if (section !== undefined && setting !== null) {
      const [, key = '', value = ''] = setting
      const name = key.toLowerCase()
      if (/^\s/.test(line) && block !== undefined) {
        block.set(name, value)
      } else if (value === '') {
        block = new Map()
        section.set(name, block)
      } else {
        block = undefined
        section.set(name, value)
      }
    }
  }
  return sections
}

/** The profile's section in the config file, where every profile but `default` has the prefix `profile`. */
export const configSection = (files: AwsFiles, profile: string): Section | undefined =>
  files.config.get(`profile ${profile}`) ?? (profile === 'default' ? files.config.get('default') : undefined)

/** One setting of a profile, as text. */
export const setting = (section: Section | undefined, name: string): string | undefined => {
  const value = section?.get(name)
  return typeof value === 'string' ? value : undefined
}
