import type { FirstAdministrator } from './iam/first-start.ts'

/** Lines that a person copies into a shell. `who` begins a sentence. */
export function credentialLines(who: string, { accessKeyId, secretAccessKey }: FirstAdministrator): string[] {
  return [
    `${who}. The secret is shown this once:`,
    `  export AWS_ACCESS_KEY_ID=${accessKeyId}`,
    `  export AWS_SECRET_ACCESS_KEY=${secretAccessKey}`,
  ]
}
