import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { Lexer, Parser, parse } from 'yaml'
import { getDocument } from '../get-document.ts'
import { isObject, type Json, memberOf, textOf } from '../json.ts'
import { type Plugin, type PluginRun, SUCCEEDED } from '../plugin.ts'

const NOTHING = 'AWS-Noop'
const MAXIMUM_FILE = 1024 * 1024
/** Collections that are open at a time. */
const MAXIMUM_OPEN = 100

/** aws:runDocument: a document of the server, or one that is on the node, as a part of this one. */
export const runDocument: Plugin = async run => {
  const { inputs } = run
  const type = textOf(inputs, 'documentType')
  const path = textOf(inputs, 'documentPath')
  if (type === '') throw new Error('Document Type must be specified to either by SSMDocument or LocalPath.')
  if (type !== 'SSMDocument' && type !== 'LocalPath') throw new Error(`documentType '${type}' is invalid.`)
  if (path === '') throw new Error('Document Path must be provided')
  if (path === NOTHING) return SUCCEEDED
  const parameters = readParameters(memberOf(inputs, 'documentParameters'))
  const text =
    type === 'SSMDocument'
      ? (await getDocument(run.request, path)).content
      : await readLocal(localPath(run, path))
  return await run.runInner(readText(text), parameters, run.resume)
}

function localPath({ downloads }: PluginRun, path: string): string {
  if (isAbsolute(path)) return path
  const full = join(downloads, path)
  if (!relative(downloads, full).startsWith('..')) return full
  throw new Error(`documentPath '${path}' leads out of the directory of the command.`)
}

async function readLocal(path: string): Promise<string> {
  // Nobody might ever write to a pipe, and waiting for that cannot be ended.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const status = await file.stat()
    if (!status.isFile()) throw new Error(`${path} is not a file.`)
    const { size } = status
    if (size === 0) throw new Error('File is empty!')
    if (size > MAXIMUM_FILE) throw new Error(`${path} has more than ${MAXIMUM_FILE} bytes.`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** YAML 1.2 has all of JSON in it, but its parser takes longer. */
function readText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    checkDepth(text)
    // The library would compare each key with all before it, which takes minutes.
    return parse(text, { maxAliasCount: 100, uniqueKeys: false }) as unknown
  }
}

/** Before anything calls itself for each level: near the end of the stack V8 may end the process rather than throw. */
function checkDepth(text: string): void {
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > MAXIMUM_OPEN) throw new Error('The document is nested too deep.')
  }
}

function readParameters(given: unknown): Json {
  const parameters = typeof given === 'string' ? (given.trim() === '' ? {} : readText(given)) : (given ?? {})
  if (!isObject(parameters))
    throw new Error('documentParameters must be an object, or the JSON or YAML of one.')
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== null))
}
