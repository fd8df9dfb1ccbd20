import { getSystemErrorMap } from 'node:util'

/** What went wrong, in the words of strerror(3), as far as the system has some. */
export function inWords(error: unknown): string {
  const { code, errno, message } = error as NodeJS.ErrnoException
  // libuv says "unknown node", which a person would take for a managed node.
  if (code === 'ENOTFOUND') return 'no host of this name is known'
  return (errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1]) ?? message
}
