import { describe, expect, test } from 'vitest'
import type { Principal, RolePrincipal, UserPrincipal } from './principal.ts'
import { RequestRate } from './request-rate.ts'

const NOW = Date.UTC(2026, 0, 31)

const user = (name: string): UserPrincipal => ({
  kind: 'user',
  arn: `arn:aws:iam::123456789012:user/${name}`,
  userId: `AIDA${name}`,
  userName: name,
  longTermKeyId: `AKIA${name}`,
})
const session = (name: string, sessionName: string): RolePrincipal => ({
  kind: 'role',
  arn: `arn:aws:sts::123456789012:assumed-role/Ops/${sessionName}`,
  userId: `AROAOPS:${sessionName}`,
  roleArn: 'arn:aws:iam::123456789012:role/Ops',
  roleName: 'Ops',
  sessionName,
  source: { userName: name, userId: `AIDA${name}`, longTermKeyId: `AKIA${name}` },
  tags: {},
  transitiveTagKeys: [],
  temporary: { accessKeyId: 'ASIA1', issuedAt: NOW, expiresAt: NOW + 3_600_000 },
})
const node = (nodeId: string): Principal => ({
  kind: 'node',
  arn: `arn:aws:sts::123456789012:assumed-role/Edge/${nodeId}`,
  userId: `AROAEDGE:${nodeId}`,
  nodeId,
  roleName: 'Edge',
})

/** How many of `count` requests at one moment are let through. */
function passed(rate: RequestRate, principal: Principal, action: string, count: number, now = NOW): number {
  return Array.from({ length: count }, () => rate.take(principal, action, now)).filter(wait => wait === 0)
    .length
}

describe('one principal and one operation', () => {
  test('200 sessions may be started at once, then 50 a second', () => {
    const rate = new RequestRate()
    expect(passed(rate, user('alice'), 'ssm:StartSession', 1000)).toBe(200)
    expect(rate.take(user('alice'), 'ssm:StartSession', NOW)).toBe(20)
    expect(passed(rate, user('alice'), 'ssm:StartSession', 1000, NOW + 1000)).toBe(50)
    expect(passed(rate, user('alice'), 'ssm:StartSession', 1000, NOW + 3_600_000)).toBe(200)
  })

  test('what was refused does not count', () => {
    const rate = new RequestRate()
    for (let i = 0; i < 10; i++) passed(rate, user('alice'), 'ssm:StartSession', 1000)
    expect(rate.take(user('alice'), 'ssm:StartSession', NOW)).toBe(20)
  })

  test('1,500 a second of a cheap operation are never refused', () => {
    const rate = new RequestRate()
    let refused = 0
    for (let ms = 0; ms < 60_000; ms += 20) {
      refused += 30 - passed(rate, user('alice'), 'ssm:GetConnectionStatus', 30, NOW + ms)
    }
    expect(refused).toBe(0)
  })
})

describe('nobody holds up', () => {
  test('another user, or another operation', () => {
    const rate = new RequestRate()
    passed(rate, user('alice'), 'ssm:StartSession', 1000)
    expect(rate.take(user('bob'), 'ssm:StartSession', NOW)).toBe(0)
    expect(rate.take(user('alice'), 'ssm:TerminateSession', NOW)).toBe(0)
  })

  test('a fleet: every node asks for its credentials when the server is back', () => {
    const rate = new RequestRate()
    const fleet = Array.from({ length: 20_000 }, (_, i) => node(`mi-${i}`))
    const waits = fleet.map(each => rate.take(each, 'ssm:RequestManagedInstanceRoleToken', NOW))
    expect(waits.every(wait => wait === 0)).toBe(true)
  })

  test('a node with 1,000 sessions, which dials all of their channels', () => {
    expect(passed(new RequestRate(), node('mi-1'), 'ssmmessages:CreateDataChannel', 1000)).toBe(1000)
  })

  test('who is anonymous: their wrong guesses are counted elsewhere', () => {
    const register = 'ssm:RegisterManagedInstance'
    expect(passed(new RequestRate(), { kind: 'anonymous' }, register, 20_000)).toBe(20_000)
  })
})

test('a node that asks for credentials all the time is refused', () => {
  expect(passed(new RequestRate(), node('mi-1'), 'ssm:RequestManagedInstanceRoleToken', 100)).toBe(20)
})

test('names of role sessions are the choice of the caller, so that they all count for the user', () => {
  const rate = new RequestRate()
  expect(passed(rate, user('alice'), 'ssm:StartSession', 150)).toBe(150)
  const rest = Array.from({ length: 100 }, (_, i) =>
    rate.take(session('alice', `s${i}`), 'ssm:StartSession', NOW),
  )
  expect(rest.filter(wait => wait === 0)).toHaveLength(50)
})
