import { isObject } from './json.ts'
import { asText, substitute, type Values } from './substitute.ts'

const PLATFORM = 'platformType'
const STORED = /\{\{ *ssm(?:-secure)?:/

/** `problems` are for the user; without any the step runs. */
export type Verdict = { satisfied: boolean; problems: string[] }

/**
 * Whether a step of schema 2.2 is to run here (control-plane.md 12.4), with the words of AWS's agent. What is not
 * satisfied is a reason to skip the step, any other problem to fail it.
 */
export function evaluate(precondition: unknown, values: Values, platform: string): Verdict {
  if (precondition === undefined || precondition === null) return { satisfied: true, problems: [] }
  if (!isObject(precondition)) return { satisfied: true, problems: ['a precondition must be an object'] }
  const verdicts = Object.entries(precondition).map(([operator, operands]) =>
    operator === 'StringEquals'
      ? stringEquals(operands, values, platform)
      : malformed(`unrecognized operator: "${operator}"`),
  )
  return {
    satisfied: verdicts.every(({ satisfied }) => satisfied),
    problems: verdicts.flatMap(({ problems }) => problems),
  }
}

function stringEquals(operands: unknown, values: Values, platform: string): Verdict {
  if (!Array.isArray(operands) || operands.length !== 2) {
    return malformed('"StringEquals": operator accepts exactly 2 arguments')
  }
  const [first, second]: unknown[] = operands
  if (typeof first !== 'string' || typeof second !== 'string') {
    return malformed('"StringEquals": operator\'s arguments must be strings')
  }
  if (first === second) return malformed('"StringEquals": operator\'s arguments can\'t be identical')
  if (STORED.test(first) || STORED.test(second)) {
    return malformed('"StringEquals": operator\'s arguments can\'t contain SSM parameters')
  }
  const resolve = (text: string): string => asText(substitute(text, values))
  if (first === PLATFORM) return isPlatform(first, second, resolve(second), platform)
  if (second === PLATFORM) return isPlatform(first, second, resolve(first), platform)
  const [left, right] = [resolve(first), resolve(second)]
  if (left === first && right === second) {
    return malformed(
      '"StringEquals": at least one of operator\'s arguments must contain a valid document parameter',
    )
  }
  return left === right ? SATISFIED : unsatisfied(first, second)
}

/** Unlike AWS's agent, which refuses a parameter beside platformType, takes one. */
function isPlatform(first: string, second: string, wanted: string, platform: string): Verdict {
  return wanted.toLowerCase() === platform.toLowerCase() ? SATISFIED : unsatisfied(first, second)
}

const SATISFIED: Verdict = { satisfied: true, problems: [] }

function unsatisfied(first: string, second: string): Verdict {
  return { satisfied: false, problems: [`"StringEquals": [${first}, ${second}]`] }
}

function malformed(problem: string): Verdict {
  return { satisfied: true, problems: [problem] }
}
