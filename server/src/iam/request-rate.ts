import { GuessLimit } from './guess-limit.ts'
import type { Principal } from './principal.ts'

/** So many at once, and then so many a second, by one principal of one operation. */
type Rate = { burst: number; perSecond: number }

/** More than one core answers, so that it is only for whoever would take the server from everybody else. */
const PERSON: Rate = { burst: 10_000, perSecond: 5_000 }
/** A node with as many sessions as it may have dials the data channels of all when its server has come back. */
const NODE: Rate = { burst: 2_000, perSecond: 100 }

/** Operations that cost more than an answer from memory: writes that wait for the disk, work on nodes, hashing. */
const EXPENSIVE: Readonly<Record<string, Rate>> = {
  'ssm:StartSession': { burst: 200, perSecond: 50 },
  // All sessions of an owner (5,000 unless configured) come back at once.
  'ssm:ResumeSession': { burst: 5_000, perSecond: 500 },
  'ssm:CreateActivation': { burst: 200, perSecond: 20 },
  // Once an hour by each node; a restarted agent asks anew.
  'ssm:RequestManagedInstanceRoleToken': { burst: 20, perSecond: 1 },
  'ssm:UpdateManagedInstancePublicKey': { burst: 20, perSecond: 1 },
  'ssm:UpdateInstanceInformation': { burst: 50, perSecond: 5 },
  'sts:AssumeRole': { burst: 500, perSecond: 100 },
  'sts:GetSessionToken': { burst: 500, perSecond: 100 },
  'iam:CreateLoginProfile': { burst: 50, perSecond: 5 },
  'iam:UpdateLoginProfile': { burst: 50, perSecond: 5 },
  'iam:ChangePassword': { burst: 20, perSecond: 1 },
  'iam:GetAccountAuthorizationDetails': { burst: 50, perSecond: 5 },
  'iam:SimulateCustomPolicy': { burst: 200, perSecond: 20 },
  'iam:SimulatePrincipalPolicy': { burst: 200, perSecond: 20 },
}

const limitOf = ({ burst, perSecond }: Rate) => new GuessLimit(burst, 1000 / perSecond)

/**
 * How often one principal may call one operation (security-cases.md 46). Principals and operations do not hold each
 * other up. What is remembered is bounded: of who is forgotten, all is forgiven.
 */
export class RequestRate {
  readonly #people = limitOf(PERSON)
  readonly #nodes = limitOf(NODE)
  readonly #expensive = new Map(Object.entries(EXPENSIVE).map(([action, rate]) => [action, limitOf(rate)]))

  /** Counts a request. Milliseconds to wait if it is one too many, which is then not counted; otherwise 0. */
  take(principal: Principal, action: string, now: number): number {
    const who = nameOf(principal)
    if (who === undefined) return 0
    const usual = 'nodeId' in principal ? this.#nodes : this.#people
    const limit = this.#expensive.get(action) ?? usual
    const name = `${action} ${who}`
    const wait = limit.wait(name, now)
    if (wait === 0) limit.failed(name, now)
    return Math.ceil(wait)
  }
}

/**
 * Sessions of roles count for the user who began them: their names are the caller's choice, as many as it likes. Who
 * is anonymous has only wrong guesses counted (ActivationGuesses), by address: a fleet may share one.
 */
function nameOf(principal: Principal): string | undefined {
  switch (principal.kind) {
    case 'user':
      return principal.userId
    case 'role':
      return principal.source.userId
    case 'node':
    case 'node-key':
      return principal.nodeId
    case 'anonymous':
      return undefined
    default:
      return principal satisfies never
  }
}
