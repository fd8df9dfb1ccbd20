import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { type OperationContext, operation } from '../../operation.ts'
import { MAXIMUM_DOCUMENTS } from './create-document.ts'
import { factsFor, filterHolds, readFilters } from './document-filters.ts'
import { amazonDocuments, type FoundDocument, identifyDocument } from './documents.ts'

const DEFAULT_PAGE = 50

/** Amazon's and the account's own, by name (control-plane.md 22). */
export const listDocuments = operation({
  input: ssmOperations.ListDocuments.input,
  callers: ['person'],
  run: async (context, input) => {
    const filters = readFilters(input)
    const all = [...amazonDocuments(), ...(await ownDocuments(context))].sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )
    const facts = await factsFor(context, filters, all)
    const after = readToken(input.NextToken)
    const rest = all.filter(
      document => document.name > after && filters.every(filter => filterHolds(filter, document, facts)),
    )
    const page = rest.slice(0, input.MaxResults ?? DEFAULT_PAGE)
    const last = page.at(-1)
    return {
      DocumentIdentifiers: page.map(identifyDocument),
      NextToken: rest.length > page.length && last ? Buffer.from(last.name).toString('base64url') : undefined,
    }
  },
})

async function ownDocuments({ store, scope }: OperationContext): Promise<FoundDocument[]> {
  const page = await store.documents.list(scope, {}, { limit: MAXIMUM_DOCUMENTS })
  return page.items.map(document => ({
    ...document,
    owner: scope.accountId,
    latestVersion: document.version,
    defaultVersion: document.version,
  }))
}

function readToken(token: string | undefined): string {
  if (token === undefined) return ''
  const name = Buffer.from(token, 'base64url').toString()
  if (/^[a-zA-Z0-9_\-.]{3,128}$/.test(name)) return name
  throw new AwsError('InvalidNextToken', 'The NextToken is not one that this operation returned.')
}
