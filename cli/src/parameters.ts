import { usageError } from './errors.ts'

/** Parameters of a document, as the API takes them: every value is a list (control-plane.md 19). */
export type Parameters = Record<string, string[]>

const EXAMPLE = `For example: --parameters portNumber=80,host=db.internal, or JSON: '{"portNumber":["80"]}'`

/**
 * Reads `--parameters`, which may be given several times: JSON, whose values may be strings, numbers, booleans or
 * lists of these, or the aws CLI's shorthand `name=value,name=value`. A value with a comma needs JSON.
 */
export const parseParameters = (texts: readonly string[]): Parameters =>
  Object.assign(
    {},
    ...texts.map(text => (text.trim().startsWith('{') ? parseJson(text) : parseShorthand(text))),
  )

const parseJson = (text: string): Parameters => {
  let value: object
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw usageError(`--parameters is not JSON: ${(error as Error).message}. ${EXAMPLE}`)
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => {
      const list: unknown[] = Array.isArray(entry) ? entry : [entry]
      if (list.some(item => typeof item === 'object')) {
        throw usageError(`--parameters: "${name}" must be a text or a list of texts. ${EXAMPLE}`)
      }
      return [name, list.map(String)]
    }),
  )
}

const parseShorthand = (text: string): Parameters =>
  Object.fromEntries(
    text.split(',').map(pair => {
      const [, name, value] = /^\s*([^=\s]+)=(.*)$/.exec(pair) ?? []
      if (name === undefined || value === undefined) {
        throw usageError(`--parameters: "${pair}" is not name=value. ${EXAMPLE}`)
      }
      return [name, [value]]
    }),
  )
