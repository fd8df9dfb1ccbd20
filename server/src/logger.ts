import {
  type Bindings,
  type ChildLoggerOptions,
  type DestinationStream,
  destination,
  type Logger,
  pino,
  stdSerializers,
} from 'pino'

export type { Logger }

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

export type LoggerOptions = {
  level: LogLevel
  /** Appended to, created with mode 0600; standard error when missing. */
  file?: string | undefined
}

const STANDARD_ERROR = 2
const MAX_DEPTH = 6
const CENSOR = '[redacted]'
// Names that carry a secret wherever they occur: tokens, activation codes, keys, SigV4 headers and query items.
const secretName =
  /token|secret|passw|authorization|cookie|credential|activation-?_?code|private-?_?key|signature|master-?_?key/i

/** JSON lines. Values under the name of a secret are replaced at every depth, also inside errors. */
export function createLogger(options: LoggerOptions): Logger {
  const { file, level } = options
  // Synchronous, so that the last line before a crash is not lost.
  const target = file === undefined ? { dest: STANDARD_ERROR } : { dest: file, mkdir: true, mode: 0o600 }
  return loggerTo(level, destination({ ...target, sync: true }))
}

/** As createLogger, into any stream. */
export function loggerTo(level: LogLevel, stream: DestinationStream): Logger {
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: label => ({ level: label }),
        log: fields => withoutSecrets(fields, 0) as Record<string, unknown>,
      },
      serializers: { err: error => withoutSecrets({ ...stdSerializers.err(error) }, 0) },
    },
    stream,
  )
  // pino applies no formatter to the fields of a child. Children inherit this function from their parent.
  const child = logger.child
  logger.child = function redacting(this: Logger, fields: Bindings, options?: ChildLoggerOptions) {
    return Reflect.apply(child, this, [withoutSecrets(fields, 0), options])
  }
  return logger
}

function withoutSecrets(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) return '[too deep]'
  if (Array.isArray(value)) return value.map(item => withoutSecrets(item, depth + 1))
  if (!isPlainObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      secretName.test(name) && inner !== undefined ? CENSOR : withoutSecrets(inner, depth + 1),
    ]),
  )
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
