import { readXml, type XmlValue } from '@sallyport/protocol/aws/xml-reader'

/** The services that speak the Query protocol (control-plane.md 28, 29). */
const VERSIONS = { iam: '2010-05-08', sts: '2011-06-15' } as const

export type QueryService = keyof typeof VERSIONS

export const isQueryService = (service: string): service is QueryService => Object.hasOwn(VERSIONS, service)

/** `{ Tags: [{ Key: 'a' }] }` is `Tags.member.1.Key=a`. What is undefined is left out. */
export const queryBody = (service: QueryService, operation: string, input: object): string => {
  const form = new URLSearchParams({ Action: operation, Version: VERSIONS[service] })
  const add = (name: string, value: unknown): void => {
    if (value === undefined) return
    if (Array.isArray(value)) value.forEach((each, i) => void add(`${name}.member.${i + 1}`, each))
    else if (typeof value === 'object' && value !== null) addAll(value, `${name}.`)
    else form.append(name, String(value))
  }
  const addAll = (members: object, prefix: string) => {
    for (const [name, value] of Object.entries(members)) add(`${prefix}${name}`, value)
  }
  addAll(input, '')
  return form.toString()
}

/** The members of the operation's result: texts, lists, structures. Undefined for what is no answer of it. */
export const queryAnswer = (text: string, operation: string): XmlValue | undefined => {
  const { name, value } = read(text)
  if (name !== `${operation}Response`) return undefined
  return member(value, `${operation}Result`) ?? {}
}

export const queryError = (text: string): { code: string; message: string } | undefined => {
  const error = member(read(text).value, 'Error')
  const code = member(error, 'Code')
  const message = member(error, 'Message')
  if (typeof code !== 'string') return undefined
  return { code, message: typeof message === 'string' ? message : code }
}

const member = (value: XmlValue | undefined, name: string): XmlValue | undefined =>
  typeof value === 'object' && !Array.isArray(value) ? value[name] : undefined

const read = (text: string): { name: string; value: XmlValue } => {
  try {
    return readXml(text)
  } catch {
    return { name: '', value: '' }
  }
}
