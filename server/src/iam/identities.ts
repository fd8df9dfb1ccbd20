import type { AccessKey } from '../store/access-keys.ts'
import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { AccessCache } from './access-cache.ts'
import { userArn } from './arns.ts'
import { cachedRole } from './cached-rows.ts'
import type { Person, UserPrincipal } from './principal.ts'

export type IdentitiesOptions = { store: Store; scope: Scope; partition: string; cache: AccessCache }

/** A person as they are now, or why they are no more. */
export type Standing = { person: Person; gone?: undefined } | { person?: undefined; gone: string }

/** Whether those who have credentials are still who they were when they got them (DESIGN 6.6). */
export class Identities {
  readonly #options: IdentitiesOptions

  constructor(options: IdentitiesOptions) {
    this.#options = options
  }

  /** A long-term key of this account, whatever its status. */
  accessKey(accessKeyId: string): Promise<AccessKey | undefined> {
    const { store, scope, cache } = this.#options
    return cache.get(`access key ${accessKeyId}`, async () => {
      const key = await store.accessKeys.find(accessKeyId)
      return key?.accountId === scope.accountId ? key : undefined
    })
  }

  /** The user whose key it is. */
  userOf({ accessKeyId, user }: AccessKey): UserPrincipal {
    const arn = userArn(this.#options, user.path, user.userName)
    const { userId, userName } = user
    return { kind: 'user', arn, userId, userName, longTermKeyId: accessKeyId }
  }

  /** Why a person's identity is gone; undefined while it is not. Expiry is not looked at. */
  async stillValid(person: Person): Promise<string | undefined> {
    return (await this.standing(person)).gone
  }

  /**
   * Everything hangs on the long-term key at the beginning, and on the user whose it is: by their ids, for a name can
   * be given again. A user with another name is the same one.
   */
  async standing(person: Person): Promise<Standing> {
    const source = person.kind === 'user' ? person : person.source
    const key = await this.accessKey(source.longTermKeyId)
    if (key === undefined || key.user.userId !== source.userId) {
      return { gone: await this.#withoutKey(source) }
    }
    if (key.status !== 'Active') return { gone: `access key ${key.accessKeyId} was deactivated` }
    if (person.kind === 'user') {
      const { temporary } = person
      return { person: { ...this.userOf(key), ...(temporary && { temporary }) } }
    }
    const role = await cachedRole(this.#options, person.roleName)
    // `userId` begins with the id that the role had.
    return role !== undefined && person.userId === `${role.roleId}:${person.sessionName}`
      ? { person }
      : { gone: `role ${person.roleName} was deleted` }
  }

  async #withoutKey({ userName, userId, longTermKeyId }: Source): Promise<string> {
    const { store, scope } = this.#options
    const user = await store.users.get(scope, userName)
    return user?.userId === userId
      ? `access key ${longTermKeyId} was deleted`
      : `user ${userName} was deleted`
  }
}

type Source = Pick<UserPrincipal, 'userName' | 'userId' | 'longTermKeyId'>
