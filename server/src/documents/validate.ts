import { AwsError } from '@sallyport/protocol/aws/error'
import { checkReferences, checkSpelling, checkString, invalid } from './content.ts'
import { readContent } from './content-format.ts'
import { sessionLimits } from './preferences.ts'
import type { SessionDocument } from './session-documents.ts'
import { checkInputs } from './validate-inputs.ts'
import { checkParameters, sessionParameters } from './validate-parameters.ts'
import { checkProperties } from './validate-properties.ts'

const KEYS = ['schemaVersion', 'sessionType', 'description', 'inputs', 'parameters', 'properties']
const SESSION_TYPES = ['Standard_Stream', 'InteractiveCommands', 'NonInteractiveCommands', 'Port']

/**
 * Parses the content of a session document. Throws `InvalidDocumentContent` or `InvalidDocumentSchemaVersion` with the
 * place of what is wrong: an agent drops what it cannot read without a word (data-plane.md 7.2).
 */
export function parseSessionDocument(content: string, format = 'JSON'): SessionDocument {
  const document = readContent(format, content)
  checkSpelling('', document, KEYS)
  const { schemaVersion, sessionType, description, inputs, parameters, properties } = document
  if (schemaVersion !== '1.0') {
    throw new AwsError(
      'InvalidDocumentSchemaVersion',
      `A session document has schemaVersion "1.0", not ${JSON.stringify(schemaVersion)}.`,
    )
  }
  if (typeof sessionType !== 'string' || !SESSION_TYPES.includes(sessionType)) {
    throw invalid(
      `sessionType must be one of ${SESSION_TYPES.join(', ')}, not ${JSON.stringify(sessionType)}.`,
    )
  }
  checkString('description', description)
  checkInputs(inputs)
  const declared = checkParameters(parameters, sessionParameters)
  checkProperties(sessionType, properties)
  checkReferences('inputs', inputs, declared)
  checkReferences('properties', properties, declared)
  const session = document as SessionDocument
  sessionLimits(session)
  return session
}
