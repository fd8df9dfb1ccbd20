/**
 * Ends the process once its output has left it: a pipe whose reader is slow still holds some, and waiting for
 * everything else (an idle connection, an open stdin) could take for ever.
 */
export const exitWith = async (status: number): Promise<never> => {
  await Promise.all([process.stdout, process.stderr].map(flushed))
  process.exit(status)
}

const flushed = (stream: NodeJS.WriteStream) =>
  new Promise<void>(resolve => {
    // A reader that has gone gets nothing more; that is no reason to fail with a stack trace.
    stream.on('error', () => resolve())
    stream.write('', () => resolve())
  })
