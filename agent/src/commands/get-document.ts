import type { DocumentRequest } from './document-request.ts'
import { isObject } from './json.ts'

/** A name, or an ARN, each with a version or without. */
const PATH = /^((?:arn:(?:[^:]*:){4})?([^:]+))(?::([^:]+))?$/

/** The content of a document of the server, as JSON text, and its bare name. */
export async function getDocument(
  { server }: Pick<DocumentRequest, 'server'>,
  path: string,
): Promise<{ name: string; content: string }> {
  const [, name = path, resource = path, version] = PATH.exec(path) ?? []
  const answer = await server.call('GetDocument', {
    Name: name,
    ...(version !== undefined && { DocumentVersion: version }),
    DocumentFormat: 'JSON',
  })
  const content = isObject(answer) ? answer.Content : undefined
  if (typeof content !== 'string') throw new Error(`The document ${path} has no content.`)
  return { name: (resource.split('/').at(-1) ?? '').replace(/[^A-Za-z0-9_.-]/g, '_') || 'document', content }
}
