import { AwsError } from '@sallyport/protocol/aws/error'

// control-plane.md 29

export function noSuchEntity(message: string): AwsError {
  return new AwsError('NoSuchEntity', message, { status: 404 })
}

export function alreadyExists(message: string): AwsError {
  return new AwsError('EntityAlreadyExists', message, { status: 409 })
}

export function deleteConflict(message: string): AwsError {
  return new AwsError('DeleteConflict', message, { status: 409 })
}

/** In IAM's words: `Cannot exceed quota for UsersPerAccount: 5000`. */
export function quotaExceeded(quota: string, limit: number): AwsError {
  return new AwsError('LimitExceeded', `Cannot exceed quota for ${quota}: ${limit}`, { status: 409 })
}

export function noSuchUser(userName: string): AwsError {
  return noSuchEntity(`The user with name ${userName} cannot be found.`)
}

export function noSuchGroup(groupName: string): AwsError {
  return noSuchEntity(`The group with name ${groupName} cannot be found.`)
}

export function noSuchAccessKey(accessKeyId: string): AwsError {
  return noSuchEntity(`The Access Key with id ${accessKeyId} cannot be found.`)
}

export function noSuchLoginProfile(userName: string): AwsError {
  return noSuchEntity(`Login Profile for User ${userName} cannot be found.`)
}
