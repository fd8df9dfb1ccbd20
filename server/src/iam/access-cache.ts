/** So long at most somebody goes on with what another server has taken away, should its event be lost. */
const LIFETIME_MS = 2_000
/** Beyond these everything is forgotten: it is found again in the store. */
const MAXIMUM_ENTRIES = 20_000

type Entry = { value: Promise<unknown>; until: number }

/** What is known of users, keys, roles and policies, until any of them changes. */
export class AccessCache {
  readonly #now: () => number
  #entries = new Map<string, Entry>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** The value under a key, from `load` if it is not known. A load that fails is tried again with the next call. */
  get<T>(key: string, load: () => Promise<T>): Promise<T> {
    const now = this.#now()
    const known = this.#entries.get(key)
    if (known !== undefined && known.until > now && known.until <= now + LIFETIME_MS)
      return known.value as Promise<T>
    if (this.#entries.size >= MAXIMUM_ENTRIES) this.#entries.clear()
    // What was begun before a change goes with the map that it is in: it cannot come back with what was.
    const entries = this.#entries
    const value = load()
    const entry = { value, until: now + LIFETIME_MS }
    entries.set(key, entry)
    value.catch(() => {
      if (entries.get(key) === entry) entries.delete(key)
    })
    return value
  }

  /** Something changed. */
  forget(): void {
    this.#entries = new Map()
  }
}
