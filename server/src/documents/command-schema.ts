import type { Json } from '../store/schema.ts'

// What a command document is made of, once it is JSON (control-plane.md 12).

export const parameterTypes = ['String', 'StringList', 'Boolean', 'Integer', 'StringMap', 'MapList'] as const
export type ParameterType = (typeof parameterTypes)[number]

export type CommandParameter = {
  type: ParameterType
  description?: string
  default?: Json
  allowedPattern?: string
  allowedValues?: Array<string | number | boolean>
  minChars?: number
  maxChars?: number
  minItems?: number
  maxItems?: number
  displayType?: string
  /**
   * `ENV_VAR`: scripts have the value as `SSM_<name>` in their environment, where nothing of it is code
   * (docs.aws.amazon.com/systems-manager/latest/userguide/documents-syntax-data-elements-parameters.html).
   */
  interpolationType?: string
}

/** Of schema 2.x. */
export type CommandStep = {
  action: string
  name: string
  inputs?: { [name: string]: Json }
  precondition?: { StringEquals: [string, string] }
  settings?: Json
  /** Agents read only what is in `inputs`. */
  timeoutSeconds?: Json
  onFailure?: Json
  maxAttempts?: Json
}

export type CommandDocument = {
  schemaVersion: string
  description?: string
  parameters?: Record<string, CommandParameter>
  /** Of schema 1.x, by plugin. */
  runtimeConfig?: Record<string, { properties: Json; settings?: Json }>
  /** Of schema 2.x. */
  mainSteps?: CommandStep[]
}

export type Platform = 'Linux' | 'Windows' | 'MacOS'
