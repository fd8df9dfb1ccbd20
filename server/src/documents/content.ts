import { AwsError } from '@sallyport/protocol/aws/error'

// What the checks of a document's parts share. A place is a path in the JSON, such as `properties.linux.commands`.

export function invalid(message: string): AwsError {
  return new AwsError('InvalidDocumentContent', `The content of the document is not valid: ${message}`)
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(each => typeof each === 'string')
}

export function checkString(place: string, value: unknown): asserts value is string | undefined {
  if (value !== undefined && typeof value !== 'string') throw invalid(`${place} must be a string.`)
}

export function checkObject(
  place: string,
  value: unknown,
): asserts value is Record<string, unknown> | undefined {
  if (value !== undefined && !isObject(value)) throw invalid(`${place} must be an object.`)
}

/**
 * Agents read keys without regard to case (data-plane.md 4), and we do not: what only they understand would go unchecked.
 * `place` is empty or ends with a dot.
 */
export function checkSpelling(place: string, value: object, known: readonly string[]): void {
  const spellings = new Map(known.map(key => [key.toLowerCase(), key]))
  for (const key of Object.keys(value)) {
    const spelling = spellings.get(key.toLowerCase()) ?? key
    if (key !== spelling) throw invalid(`${place}${key} must be spelled ${spelling}.`)
  }
}

const REFERENCE = /\{\{\s*([a-zA-Z0-9]+)\s*\}\}/g

/**
 * The parameters that a text refers to. Others' templates, such as `{{ssm:name}}` or the `{{.ID}}` of a command line,
 * are none of ours: agents leave them as they are (data-plane.md 7.1).
 */
export function referencesIn(text: string): string[] {
  return [...text.matchAll(REFERENCE)].map(([, name]) => name ?? '')
}

/** Puts what `replacement` answers in the place of each reference. */
export function replaceReferences(
  text: string,
  replacement: (name: string, reference: string) => string,
): string {
  return text.replace(REFERENCE, (reference: string, name: string) => replacement(name, reference))
}

/** Whether what stands here is known only when a session starts. */
export function isTemplate(value: string): boolean {
  return referencesIn(value).length > 0
}

/** Agents leave a reference to a parameter that is not declared as it stands, in a command line for example. */
export function checkReferences(place: string, value: unknown, declared: ReadonlySet<string>): void {
  if (typeof value === 'string') {
    const unknown = referencesIn(value).find(name => !declared.has(name))
    if (unknown !== undefined) {
      throw invalid(`${place} refers to {{ ${unknown} }}, which is not declared in parameters.`)
    }
  } else if (Array.isArray(value)) {
    value.forEach((each, i) => {
      checkReferences(`${place}[${i}]`, each, declared)
    })
  } else if (isObject(value)) {
    for (const [key, each] of Object.entries(value)) checkReferences(`${place}.${key}`, each, declared)
  }
}

/** Far more than any document needs. What looks at all of a value calls itself for each level. */
const MAXIMUM_DEPTH = 64

export function isTooDeep(value: unknown, most: number = MAXIMUM_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return false
  return most === 0 || Object.values(value).some(each => isTooDeep(each, most - 1))
}
