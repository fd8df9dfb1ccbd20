import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StepReply } from '@sallyport/protocol/run-command'
import { onTestFinished } from 'vitest'
import { readDestinationRules } from '../sessions/port/destination-rules.ts'
import type { DocumentProgress, DocumentRequest } from './document-request.ts'
import { runDocument } from './run-document.ts'

type Scene = {
  parameters?: Record<string, unknown>
  memoryMiB?: number
  variables?: Record<string, string>
  /** Answers of the server by operation. */
  server?: Record<string, (input: never) => unknown>
  directory?: string
} & Partial<Pick<DocumentRequest, 'signal' | 'resume' | 'update' | 'reboot'>>

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-command-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export const COMMAND_ID = '6f1b8c1e-3a4d-4b5c-9d6e-7f8091a2b3c4'

/** A document on a node, and what came of it. */
export function scene(
  document: unknown,
  { parameters = {}, variables = {}, memoryMiB, server = {}, directory, ...more }: Scene = {},
) {
  const seen = {
    told: [] as StepReply[],
    progress: [] as DocumentProgress[],
    calls: [] as { operation: string; input: unknown }[],
    written: new Map<string, string>(),
    finished: [] as { step: string; truncated: { stdout: boolean; stderr: boolean } }[],
    log: [] as string[],
  }
  const watchers = new Set<() => void>()
  const request: DocumentRequest = {
    commandId: COMMAND_ID,
    nodeId: 'mi-0123456789abcdef0',
    documentName: 'test',
    document,
    parameters,
    directory: directory ?? temporaryDirectory(),
    signal: new AbortController().signal,
    environment: {
      region: 'eu-test-1',
      variables: { PATH: process.env.PATH, ...variables },
      destinations: readDestinationRules(variables),
      memoryMiB,
    },
    log: message => void seen.log.push(message),
    onStep: step => void seen.told.push(step),
    onProgress: async progress => void seen.progress.push(structuredClone(progress)),
    reboot: async () => {
      throw new Error('nobody said that it may')
    },
    server: {
      call: async (operation, input) => {
        seen.calls.push({ operation, input })
        const answer = server[operation]
        if (answer === undefined) throw new Error(`${operation} is not expected`)
        return answer(input as never)
      },
    },
    output: {
      open: step => ({
        write: (stream, bytes) => {
          const key = `${step} ${stream}`
          seen.written.set(key, (seen.written.get(key) ?? '') + Buffer.from(bytes).toString())
          for (const watch of watchers) watch()
        },
        finish: async truncated => void seen.finished.push({ step, truncated }),
      }),
    },
    ...more,
  }
  /** Waits until a step has written `text`. */
  const until = (key: string, text: string) =>
    new Promise<void>(resolve => {
      const watch = () => {
        if (seen.written.get(key)?.includes(text)) resolve()
      }
      watchers.add(watch)
      watch()
    })
  return { ...seen, request, until, run: () => runDocument(request) }
}

/** Schema 2.2 with one script for each member. */
export function scripts(
  steps: Record<string, string | Record<string, unknown>>,
  more: Record<string, unknown> = {},
) {
  return {
    schemaVersion: '2.2',
    ...more,
    mainSteps: Object.entries(steps).map(([name, inputs]) => ({
      action: 'aws:runShellScript',
      name,
      inputs: typeof inputs === 'string' ? { runCommand: [inputs] } : inputs,
    })),
  }
}

export function byName(steps: readonly StepReply[], name: string): StepReply {
  const step = steps.find(each => each.name === name)
  if (step === undefined) throw new Error(`no result of ${name}`)
  return step
}
