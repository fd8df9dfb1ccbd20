import { expect, test } from 'vitest'
import { formatArn, parseArn } from './arn.ts'

test.each([
  ['arn:aws:iam::111122223333:user/path/alice', 'iam', '', 'user/path/alice'],
  ['arn:aws:ssm:us-east-1::document/AWS-StartSSHSession', 'ssm', 'us-east-1', 'document/AWS-StartSSHSession'],
  ['arn:aws-cn:logs:cn-north-1:111122223333:log-group:/a:*', 'logs', 'cn-north-1', 'log-group:/a:*'],
])('%s is read and written back unchanged', (text, service, region, resource) => {
  const arn = parseArn(text)
  expect(arn).toMatchObject({ service, region, resource })
  expect(formatArn(arn)).toBe(text)
})

test.each([
  ['', 'must begin'],
  ['aws:arn:iam::1:user/a', 'must begin'],
  ['ARN:aws:iam::1:user/a', 'must begin'],
  ['arn:aws:iam::111122223333', 'expected arn:'],
  ['arn::iam::1:user/a', 'partition is empty'],
  ['arn:aws:::1:user/a', 'service is empty'],
  ['arn:aws:iam::1:', 'resource is empty'],
  [`arn:aws:iam::1:${'x'.repeat(3000)}`, 'longer than 2048'],
])('%j is refused with the reason', (text, reason) => {
  expect(() => parseArn(text)).toThrow(reason)
})
