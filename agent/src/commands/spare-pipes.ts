import { closeSync } from 'node:fs'
import { openPipes, type Pipes } from '../sessions/commands/pipes.ts'

/** When the next pipes are made: not while the result of this step is on its way. */
const DELAY = 100

let spare: Promise<OutputPipes | undefined> | undefined
let preparing = false

export type OutputPipes = Pick<Pipes, 'stdout' | 'stderr'>

/**
 * Pipes for the output of a program, so that it can open /dev/stdout and /dev/stderr; undefined where there are none, and
 * sockets have to do. Making them takes longer than starting a shell, so one pair is kept ready for the next step.
 */
export async function takePipes(): Promise<OutputPipes | undefined> {
  const pipes = spare ?? makePipes()
  spare = undefined
  if (!preparing) {
    preparing = true
    setTimeout(prepare, DELAY).unref()
  }
  return await pipes
}

function prepare(): void {
  preparing = false
  spare ??= makePipes()
}

async function makePipes(): Promise<OutputPipes | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    const { stdin, stdout, stderr } = await openPipes()
    closeSync(stdin.ours)
    closeSync(stdin.theirs)
    return { stdout, stderr }
  } catch {
    return undefined
  }
}
