import type { Command as CommanderCommand } from 'commander'
import type { CommandContext } from './context.ts'
import { processContext } from './context.ts'
import { EXIT } from './errors.ts'
import { inertLines } from './inert.ts'

const EXIT_STATUSES = `
Exit status: 0 all went well (connect: the session's own status); 1 the server refused or something failed;
2 wrong arguments or settings; 255 the server could not be reached or the connection was lost;
128 + n ended by signal n.`

/**
 * The client commands. `argv` begins with the command's name; resolves with the exit status and never rejects.
 * Every command's code is loaded only when it is the one that runs.
 */
export const runCli = async (
  argv: readonly string[],
  context: CommandContext = processContext(),
): Promise<number> => {
  try {
    let exitCode: number = EXIT.ok
    const program = await buildProgram(context, async run => {
      exitCode = await run
    })
    await program.parseAsync([...argv], { from: 'user' })
    return exitCode
  } catch (error) {
    return report(error, context)
  }
}

type Finish = (run: Promise<number>) => Promise<void>

const buildProgram = async (context: CommandContext, finish: Finish): Promise<CommanderCommand> => {
  const { Command } = await import('commander')
  const program = new Command('sallyport')
    .exitOverride()
    .configureOutput({ writeOut: context.out, writeErr: context.err })
    .showHelpAfterError('(--help shows what is possible)')

  settings(program.command('connect <node>'))
    .description('open a shell on a node, by its id or name')
    .option('--reason <text>', 'why; kept with the session')
    .option('--document-name <name>', 'the session document to use')
    .option(
      '--parameters <values>',
      "the document's parameters: name=value,… or JSON; may be repeated",
      collect,
    )
    .addHelpText('after', EXIT_STATUSES)
    .action((node: string, _, command: CommanderCommand) =>
      finish(
        import('./commands/connect.ts').then(({ connect }) =>
          connect(node, command.optsWithGlobals(), context),
        ),
      ),
    )

  settings(program.command('nodes'))
    .description('list the nodes')
    .option('--json', 'as JSON, with all there is to know')
    .action((_, command: CommanderCommand) =>
      finish(import('./commands/nodes.ts').then(({ nodes }) => nodes(command.optsWithGlobals(), context))),
    )

  const sessions = settings(program.command('sessions'))
    .description('list the running sessions, or end them')
    .option('--history', 'those that have ended')
    .option('--mine', 'only those of the caller')
    .option('--json', 'as JSON, with all there is to know')
    .action((_, command: CommanderCommand) =>
      finish(
        import('./commands/sessions.ts').then(({ sessions }) => sessions(command.optsWithGlobals(), context)),
      ),
    )
  settings(sessions.command('end <id...>'))
    .description('end sessions')
    .action((ids: string[], _, command: CommanderCommand) =>
      finish(
        import('./commands/sessions.ts').then(({ endSessions }) =>
          endSessions(ids, command.optsWithGlobals(), context),
        ),
      ),
    )

  const activations = settings(program.command('activations'))
    .description('list the activations, with which machines become nodes, or make and delete them')
    .option('--json', 'as JSON, with all there is to know')
    .action((_, command: CommanderCommand) =>
      finish(
        import('./commands/activations.ts').then(({ activations }) =>
          activations(command.optsWithGlobals(), context),
        ),
      ),
    )
  settings(activations.command('create'))
    .description('make an activation, and print the command that registers a machine with it')
    .option('--name <name>', 'the name of the nodes')
    .option('--description <text>', 'what it is for')
    .option('--limit <number>', 'how many machines may use it', '1')
    .option('--expires-in <time>', 'such as 30m, 24h or 7d; at most 30d', '24h')
    .option('--iam-role <name>', 'the role of the nodes', 'SSMServiceRole')
    .action((_, command: CommanderCommand) =>
      finish(
        import('./commands/activations.ts').then(({ createActivation }) =>
          createActivation(command.optsWithGlobals(), context),
        ),
      ),
    )
  settings(activations.command('delete <id>'))
    .description('delete an activation; its nodes stay')
    .action((id: string, _, command: CommanderCommand) =>
      finish(
        import('./commands/activations.ts').then(({ deleteActivation }) =>
          deleteActivation(id, command.optsWithGlobals(), context),
        ),
      ),
    )
  return program
}

const collect = (text: string, before: string[] = []) => [...before, text]

const settings = (command: CommanderCommand): CommanderCommand =>
  command
    .option('--endpoint-url <url>', "the server (else SALLYPORT_ENDPOINT_URL, AWS's variables, the profile)")
    .option('--region <region>', 'else AWS_REGION, the profile')
    .option('--profile <name>', "a profile of AWS's credentials and config files (else AWS_PROFILE)")
    .option(
      '--ca-bundle <file>',
      'certificates to trust, PEM (else AWS_CA_BUNDLE, the profile, SSL_CERT_FILE)',
    )

type Reportable = {
  name?: string
  code?: unknown
  exitCode?: number
  requestId?: string
  message?: string
  stack?: string
}

/** By name rather than by class: the classes belong to parts that are loaded only when they are needed. */
const report = (error: unknown, context: CommandContext): number => {
  const { name, code, exitCode, requestId, message = '', stack } = Object(error) as Reportable
  const say = (text: string) => context.err(`sallyport: ${inertLines(text)}\n`)
  // Its name is its constructor's, which a bundler may change.
  if (String(code).startsWith('commander.')) return exitCode === 0 ? EXIT.ok : EXIT.usage
  if (name === 'CliError') {
    say(message)
    return exitCode ?? EXIT.failure
  }
  if (name === 'ApiError') {
    const unreachable = String(code).startsWith('Connection')
    say(unreachable ? message : `${message} (${code}${requestId ? `, request ${requestId}` : ''})`)
    return unreachable ? EXIT.connectionLost : EXIT.failure
  }
  say(`this should not have happened: ${stack ?? String(error)}`)
  return EXIT.failure
}
