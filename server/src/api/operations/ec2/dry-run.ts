import { AwsError } from '@sallyport/protocol/aws/error'

/** Whoever only wants to know whether the request is allowed has the answer by now (control-plane.md 18.2). */
export function checkDryRun({ DryRun }: { DryRun?: boolean | undefined }): void {
  if (DryRun !== true) return
  throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', {
    status: 412,
  })
}
