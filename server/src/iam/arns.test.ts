import { expect, test } from 'vitest'
import * as arns from './arns.ts'

const realm = { partition: 'aws', scope: { accountId: '123456789012', region: 'eu-central-1' } }
const china = { ...realm, partition: 'aws-cn' }

test.each([
  [arns.userArn(realm, '/', 'alice'), 'arn:aws:iam::123456789012:user/alice'],
  [arns.userArn(realm, '/teams/a/', 'alice'), 'arn:aws:iam::123456789012:user/teams/a/alice'],
  [arns.groupArn(realm, '/', 'devs'), 'arn:aws:iam::123456789012:group/devs'],
  [arns.roleArn(china, '/service-role/', 'Edge'), 'arn:aws-cn:iam::123456789012:role/service-role/Edge'],
  [arns.policyArn(realm, '/', 'P'), 'arn:aws:iam::123456789012:policy/P'],
  [arns.instanceProfileArn(realm, '/', 'P'), 'arn:aws:iam::123456789012:instance-profile/P'],
  [arns.assumedRoleArn(realm, 'Ops', 'night'), 'arn:aws:sts::123456789012:assumed-role/Ops/night'],
  [arns.nodeArn(realm, 'mi-1'), 'arn:aws:ssm:eu-central-1:123456789012:managed-instance/mi-1'],
  [arns.nodeArn(realm, 'i-1'), 'arn:aws:ec2:eu-central-1:123456789012:instance/i-1'],
  [arns.sessionArn(realm, 'alice-1'), 'arn:aws:ssm:eu-central-1:123456789012:session/alice-1'],
  [arns.documentArn(realm, 'Mine'), 'arn:aws:ssm:eu-central-1:123456789012:document/Mine'],
  [
    arns.documentArn(china, 'AWS-StartSSHSession'),
    'arn:aws-cn:ssm:eu-central-1::document/AWS-StartSSHSession',
  ],
])('%s', (made, expected) => {
  expect(made).toBe(expected)
})
