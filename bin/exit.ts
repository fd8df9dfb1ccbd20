import { closeSync } from 'node:fs'
import { isatty } from 'node:tty'

/**
 * Ends the process once its output has left it: a pipe whose reader is slow still holds some, and waiting for
 * everything else (an idle connection, an open stdin) could take for ever.
 */
export const exitWith = async (status: number): Promise<never> => {
  await Promise.all([process.stdout, process.stderr].map(flushed))
  // The last of these listeners: the others may have something to give back to the terminal.
  process.on('exit', letGoOfTerminals)
  process.exit(status)
}

/**
 * Node puts every terminal among its standard streams back into the modes in which it found it (ResetStdio in
 * src/node.cc), except where the descriptor is closed. A job in the background found it as the shell's line editor has
 * it, without echo, and nobody would undo that. What a session has changed it has restored by itself.
 */
const letGoOfTerminals = () => {
  for (const fd of [0, 1, 2]) if (isatty(fd)) closeSync(fd)
}

const flushed = (stream: NodeJS.WriteStream) =>
  new Promise<void>(resolve => {
    // A reader that has gone gets nothing more; that is no reason to fail with a stack trace.
    stream.on('error', () => resolve())
    stream.write('', () => resolve())
  })
