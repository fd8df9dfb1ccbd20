import { readFile } from 'node:fs/promises'
import type { Run } from './run-program.ts'

/** An account of the host; see passwd(5). */
export type SessionUser = { name: string; uid: number; gid: number; home: string; shell: string }

// useradd(8)'s rule, with capitals and '@' for directory accounts. No leading '-': a name is never an option.
const USER_NAME = /^[A-Za-z_][A-Za-z0-9_.@-]{0,31}\$?$/

/** Throws unless `name` can go into a file or an argument list without a second thought. */
export const checkUserName = (name: string): void => {
  if (USER_NAME.test(name)) return
  throw new Error(
    `Unable to start the session: ${JSON.stringify(name.slice(0, 64))} is not a valid user name. Use at most 32 letters, digits, ` +
      "'.', '_', '-' or '@', starting with a letter or '_'.",
  )
}

const toId = (field: string | undefined): number | undefined =>
  field !== undefined && /^\d{1,10}$/.test(field) ? Number(field) : undefined

/** The entry of `name` in the text of a passwd file, or undefined. Entries with broken ids are no entries. */
export const findInPasswd = (passwd: string, name: string): SessionUser | undefined => {
  for (const line of passwd.split('\n')) {
    const [entry, , uidField, gidField, , home, shell] = line.split(':')
    if (entry !== name) continue
    const uid = toId(uidField)
    const gid = toId(gidField)
    if (uid === undefined || gid === undefined) continue
    return { name, uid, gid, home: home || '/', shell: shell?.trim() || '/bin/sh' }
  }
  return undefined
}

/** Looks in `passwdFile` first and asks getent, which knows LDAP and SSSD accounts, only for names that are not there. */
export const findUser = async (
  name: string,
  run: Run,
  passwdFile = '/etc/passwd',
): Promise<SessionUser | undefined> => {
  checkUserName(name)
  const local = findInPasswd(await readFile(passwdFile, 'utf8').catch(() => ''), name)
  if (local !== undefined) return local
  const answer = await run('getent', ['passwd', name])
  return answer.exitCode === 0 ? findInPasswd(answer.output, name) : undefined
}
