import type {
  Command,
  InvocationStatus,
  WatchCommandOutput,
  WatchedInvocation,
} from '@sallyport/protocol/api/ssm-commands'
import { inert } from '../inert.ts'

const ENDED: ReadonlySet<string> = new Set<InvocationStatus>(['Success', 'Failed', 'TimedOut', 'Cancelled'])

export const isEnded = ({ Status }: { Status: string }): boolean => ENDED.has(Status)

const MAX_LABEL_WIDTH = 24

/** How many invocations are where. `notRun`: too many others had failed before. */
export type Tally = {
  waiting: number
  running: number
  succeeded: number
  failed: number
  cancelled: number
  notRun: number
}

export type Change = {
  invocation: WatchedInvocation /** Its first news of having begun, and of its end. */
  began: boolean
  ended: boolean
}

/** What WatchCommand has told so far of a command and of each of its nodes. */
export class Invocations {
  readonly #byNode = new Map<string, WatchedInvocation>()
  readonly #nodesOfName = new Map<string, number>()
  #command: Command
  #counts: WatchCommandOutput['Counts'] = []
  #labelWidth = 0

  constructor(command: Command) {
    this.#command = command
  }

  get command(): Command {
    return this.#command
  }

  get total(): number {
    return Math.max(this.#command.TargetCount, this.#byNode.size)
  }

  get unfinished(): number {
    const { waiting, running } = this.tally()
    return waiting + running
  }

  /** In the order in which they were heard of. */
  all(): WatchedInvocation[] {
    return [...this.#byNode.values()]
  }

  /** Takes an answer in; tells what is new in it. */
  take({ Command, Counts, Invocations }: WatchCommandOutput): Change[] {
    this.#command = Command
    this.#counts = Counts
    for (const each of Invocations) this.#learnName(each)
    return Invocations.map(invocation => {
      const before = this.#byNode.get(invocation.InstanceId)
      this.#byNode.set(invocation.InstanceId, invocation)
      const began = hasBegun(invocation) && !(before !== undefined && hasBegun(before))
      const ended = isEnded(invocation) && !(before !== undefined && isEnded(before))
      return { invocation, began, ended }
    })
  }

  tally(): Tally {
    const tally: Tally = { waiting: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0, notRun: 0 }
    for (const { Status, StatusDetails, Count } of this.#counts)
      tally[placeOf(Status, StatusDetails)] += Count
    return tally
  }

  /** So many characters have room for most names. */
  get labelWidth(): number {
    return this.#labelWidth
  }

  /** What a person calls the node; where several have one name, with the id. Safe to print. */
  label({ InstanceId, InstanceName }: Pick<WatchedInvocation, 'InstanceId' | 'InstanceName'>): string {
    if (!InstanceName) return inert(InstanceId)
    const alone = (this.#nodesOfName.get(InstanceName) ?? 0) < 2
    return inert(alone ? InstanceName : `${InstanceName} (${InstanceId})`)
  }

  #learnName(invocation: WatchedInvocation): void {
    const { InstanceId, InstanceName } = invocation
    if (this.#byNode.has(InstanceId)) return
    this.#nodesOfName.set(InstanceName, (this.#nodesOfName.get(InstanceName) ?? 0) + 1)
    this.#labelWidth = Math.max(this.#labelWidth, Math.min(MAX_LABEL_WIDTH, this.label(invocation).length))
  }
}

const hasBegun = (invocation: WatchedInvocation): boolean =>
  invocation.Status === 'InProgress' || invocation.Status === 'Cancelling'

const placeOf = (status: InvocationStatus, details: string): keyof Tally => {
  switch (status) {
    case 'Pending':
    case 'Delayed':
      return 'waiting'
    case 'InProgress':
    case 'Cancelling':
      return 'running'
    case 'Success':
      return 'succeeded'
    case 'Cancelled':
      return 'cancelled'
    default:
      return details === 'Terminated' ? 'notRun' : 'failed'
  }
}

/** Why an invocation did not succeed, in words; of what ends in `StatusDetails` (control-plane.md 21.3). */
export const failureOf = ({
  Status,
  StatusDetails,
  ResponseCode,
}: Pick<WatchedInvocation, 'Status' | 'StatusDetails' | 'ResponseCode'>): string => {
  switch (StatusDetails) {
    case 'DeliveryTimedOut':
      return 'did not take the command in time; is it offline?'
    case 'ExecutionTimedOut':
      return 'ran for longer than it may'
    case 'Undeliverable':
      return 'is no node any more'
    case 'Terminated':
      return 'not run: too many others had failed'
    case 'AccessDenied':
      return 'you may not run commands on it'
    case 'InvalidPlatform':
      return 'the document is not for its platform'
    case 'Cancelled':
      return 'cancelled'
    default:
      if (Status === 'TimedOut') return 'ran for longer than it may'
      if (Status === 'Failed' && ResponseCode > 0) return `exit status ${ResponseCode}`
      return inert(StatusDetails === Status ? Status.toLowerCase() : `${Status}: ${StatusDetails}`)
  }
}
