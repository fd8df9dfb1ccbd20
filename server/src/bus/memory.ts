import {
  type Bus,
  BusError,
  type BusErrorListener,
  type BusHandler,
  type BusMessage,
  checkSubject,
} from './bus.ts'

/** How many messages may wait for delivery. */
export const MAX_PENDING_MESSAGES = 10_000

type Subscription = { handler: BusHandler; active: boolean }
type Delivery = { subject: string; text: string; subscriptions: Subscription[] }

/** The bus of a single server. Handlers run after the current turn of the event loop. */
export function openMemoryBus(options: { onError: BusErrorListener }): Bus {
  const subscriptions = new Map<string, Set<Subscription>>()
  let pending: Delivery[] = []
  let closed = false

  const run = async ({ subject, text }: Delivery, subscription: Subscription): Promise<void> => {
    try {
      await subscription.handler(JSON.parse(text) as BusMessage)
    } catch (error) {
      options.onError(error, subject)
    }
  }

  const deliver = (): void => {
    // What handlers publish now is delivered in the next turn, so that they cannot keep sockets waiting for ever.
    const deliveries = pending
    pending = []
    for (const delivery of deliveries) {
      for (const subscription of delivery.subscriptions) {
        if (subscription.active) void run(delivery, subscription)
      }
    }
  }

  return {
    publish(subject, message) {
      if (closed) throw new BusError('closed', 'the bus is closed')
      checkSubject(subject)
      const receivers = subscriptions.get(subject)
      if (!receivers) return
      if (pending.length >= MAX_PENDING_MESSAGES) {
        throw new BusError('overflow', `${MAX_PENDING_MESSAGES} messages wait for delivery`)
      }
      if (pending.length === 0) setImmediate(deliver)
      pending.push({ subject, text: JSON.stringify(message), subscriptions: [...receivers] })
    },

    subscribe(subject, handler) {
      if (closed) throw new BusError('closed', 'the bus is closed')
      checkSubject(subject)
      const subscription = { handler, active: true }
      const receivers = subscriptions.get(subject) ?? new Set()
      subscriptions.set(subject, receivers.add(subscription))
      return () => {
        subscription.active = false
        receivers.delete(subscription)
        if (receivers.size === 0 && subscriptions.get(subject) === receivers) subscriptions.delete(subject)
      }
    },

    close() {
      closed = true
      pending = []
      for (const receivers of subscriptions.values()) {
        for (const subscription of receivers) subscription.active = false
      }
      subscriptions.clear()
    },
  }
}
