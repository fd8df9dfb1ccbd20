import type { Command } from 'commander'

/** Takes the exit status of the command that runs. */
export type Finish = (run: Promise<number>) => Promise<void>

/** Collects the values of an option that may be repeated. */
export const collect = (text: string, before: string[] = []) => [...before, text]

/** The options of every command that speaks to a server. */
export const settings = (command: Command): Command =>
  command
    .option('--endpoint-url <url>', "the server (else SALLYPORT_ENDPOINT_URL, AWS's variables, the profile)")
    .option('--region <region>', 'else AWS_REGION, the profile')
    .option('--profile <name>', "a profile of AWS's credentials and config files (else AWS_PROFILE)")
    .option(
      '--ca-bundle <file>',
      'certificates to trust, PEM (else AWS_CA_BUNDLE, the profile, SSL_CERT_FILE)',
    )

/** Says what to do about errors that people make here. */
export const withHint = (command: Command, error: RegExp, hint: string): Command =>
  command.configureOutput({
    outputError: (text, write) => write(error.test(text) ? `${text}${hint}\n` : text),
  })
