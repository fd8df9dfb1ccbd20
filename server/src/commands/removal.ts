import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

/** As long as AWS keeps them ("Run Command", quotas and history). */
const KEPT_MS = 30 * 24 * 3_600_000
const COMMANDS_AT_ONCE = 50

/** Removes the commands that ended and were sent more than 30 days ago; `onRemoved` is told of each. */
export async function removeOld(
  store: Store,
  scope: Scope,
  now: number,
  onRemoved: (commandId: string) => void | Promise<void>,
): Promise<void> {
  for (;;) {
    const old = await store.commandChanges.endedBefore(scope, now - KEPT_MS, COMMANDS_AT_ONCE)
    for (const commandId of old) {
      await onRemoved(commandId)
      await store.commandChanges.remove(scope, commandId)
    }
    if (old.length < COMMANDS_AT_ONCE) return
  }
}
