export type LogFields = Readonly<Record<string, unknown>>
export type Log = (message: string, fields?: LogFields) => void

/** One JSON object a line, as journald and every collector can read it. Values are never interpreted. */
export function createLog(write: (line: string) => void = line => process.stderr.write(line)): Log {
  return (message, fields = {}) => {
    write(`${JSON.stringify({ time: new Date().toISOString(), message, ...fields })}\n`)
  }
}
