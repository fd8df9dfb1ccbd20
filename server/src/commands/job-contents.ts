import { commandContent } from '@sallyport/protocol/run-command'
import { type CommandDocument, stepNames } from '../documents/command-document.ts'
import { fromColumn } from '../store/json-column.ts'
import type { CommandContents } from '../store/owed-jobs.ts'
import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

/** A document may have 64 KB, and its parameters as much. */
const MAX_REMEMBERED = 100
const decoder = new TextDecoder()

/** What all nodes of a command get, and what they may tell of it. */
export type JobContent = { content: string; steps: ReadonlySet<string> }

type Settings = {
  OutputS3BucketName?: string
  OutputS3KeyPrefix?: string
  CloudWatchOutputConfig?: { CloudWatchLogGroupName?: string; CloudWatchOutputEnabled?: boolean } | null
} | null

/** Builds what commands say once for all of their nodes. */
export class JobContents {
  readonly #store: Store
  readonly #scope: Scope
  readonly #known = new Map<string, JobContent>()

  constructor(store: Store, scope: Scope) {
    this.#store = store
    this.#scope = scope
  }

  /** Those of commands that exist. */
  async load(commandIds: Iterable<string>): Promise<ReadonlyMap<string, JobContent>> {
    const wanted = new Map<string, JobContent>()
    const missing: string[] = []
    for (const commandId of new Set(commandIds)) {
      const known = this.#known.get(commandId)
      if (known === undefined) missing.push(commandId)
      else wanted.set(commandId, known)
    }
    if (missing.length === 0) return wanted
    for (const row of await this.#store.commandChanges.contents(this.#scope, missing)) {
      const content = contentOf(row)
      wanted.set(row.commandId, content)
      this.#remember(row.commandId, content)
    }
    return wanted
  }

  #remember(commandId: string, content: JobContent): void {
    const [oldest] = this.#known.keys()
    if (this.#known.size >= MAX_REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(commandId, content)
  }
}

function contentOf(row: CommandContents): JobContent {
  const document = fromColumn(row.documentContent)
  const settings = fromColumn(row.settings) as Settings
  const logs = settings?.CloudWatchOutputConfig
  const content = commandContent.encode({
    Parameters: fromColumn(row.boundParameters),
    DocumentContent: document,
    CommandId: row.commandId,
    DocumentName: row.documentName,
    OutputS3BucketName: settings?.OutputS3BucketName ?? '',
    OutputS3KeyPrefix: settings?.OutputS3KeyPrefix ?? '',
    CloudWatchLogGroupName: logs?.CloudWatchLogGroupName ?? '',
    CloudWatchOutputEnabled: String(logs?.CloudWatchOutputEnabled === true),
  })
  return {
    content: decoder.decode(content),
    steps: new Set(stepNames(document as unknown as CommandDocument)),
  }
}
