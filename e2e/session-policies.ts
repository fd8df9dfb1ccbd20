/** Policies about sessions, in short, for tests that give and take them. */

type Statement = {
  Effect: string
  Action: string | string[]
  Resource: string | string[]
  Condition?: object
}
export const policy = (...Statement: Statement[]) => ({ Version: '2012-10-17', Statement })
export const FIND = ['ssm:DescribeInstanceInformation', 'ssm:GetConnectionStatus']
export const may = (Action: string | string[], Condition?: object): Statement => ({
  Effect: 'Allow',
  Action,
  Resource: '*',
  ...(Condition && { Condition }),
})
/** What whoever works with sessions needs. */
export const SESSIONS = policy(may(['ssm:StartSession', 'ssm:TerminateSession', ...FIND]))
/** Enough to look, and for nothing else. */
export const NOTHING = policy(may(FIND))
