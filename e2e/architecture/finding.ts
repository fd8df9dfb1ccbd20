/** A broken rule, at a line (from 1) of a file. */
export type Finding = { file: string; line: number; rule: string; message: string }

/** One finding as `file:line: rule: message`, which editors make a link of. */
export function describeFinding({ file, line, rule, message }: Finding): string {
  return `${file}:${line}: ${rule}: ${message}`
}
