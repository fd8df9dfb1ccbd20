import { checkObject, checkSpelling, checkString, invalid, isTemplate } from './content.ts'

/** A value of another type makes a stock agent drop the whole task without a word (data-plane.md 7.1, 7.2). */
const STRINGS = ['s3BucketName', 's3KeyPrefix', 'cloudWatchLogGroupName', 'kmsKeyId', 'runAsDefaultUser']
const BOOLEANS = [
  's3EncryptionEnabled',
  'cloudWatchEncryptionEnabled',
  'cloudWatchStreamingEnabled',
  'runAsEnabled',
]

const TIMES = ['idleSessionTimeout', 'maxSessionDuration']

/** The preferences of a session document (control-plane.md 13.1), but for its time-outs. */
export function checkInputs(inputs: unknown): void {
  checkObject('inputs', inputs)
  if (inputs === undefined) return
  checkSpelling('inputs.', inputs, [...STRINGS, ...BOOLEANS, ...TIMES, 'shellProfile'])
  for (const key of BOOLEANS) checkBoolean(key, inputs[key])
  for (const key of STRINGS) checkString(`inputs.${key}`, inputs[key])
  if (isTemplate(String(inputs.runAsDefaultUser ?? ''))) {
    throw invalid(
      'inputs.runAsDefaultUser cannot be a parameter: whom a session runs as is not for the caller to say.',
    )
  }
  checkObject('inputs.shellProfile', inputs.shellProfile)
  for (const platform of ['linux', 'windows']) {
    checkString(`inputs.shellProfile.${platform}`, inputs.shellProfile?.[platform])
  }
}

function checkBoolean(key: string, value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return
  // A stock agent fails to parse the whole task over a string here (data-plane.md 7.1).
  if (key !== 'cloudWatchStreamingEnabled' && (value === '' || value === 'true' || value === 'false')) return
  throw invalid(`inputs.${key} must be true or false.`)
}
