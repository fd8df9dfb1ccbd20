import type { Command as CommanderCommand } from 'commander'
import { collect, type Finish, settings, withHint } from './command-line.ts'
import type { CommandContext } from './context.ts'
import { processContext } from './context.ts'
import { EXIT } from './errors.ts'
import { inertLines } from './inert.ts'
import { defineRunCommands } from './run/command-line.ts'

const EXIT_STATUSES = `
Exit status: 0 all went well (connect: the session's own status); 1 the server refused or something failed;
2 wrong arguments or settings; 255 the server could not be reached or the connection was lost;
128 + n ended by signal n.`

const EXEC_HELP = `
There is no shell on the node unless the command is one: sallyport exec web-1 -- sh -c 'df -h | tail -1'
Exit status: the command's own; 127 not found, 126 not executable, 128 + n ended by signal n;
255 the server could not be reached or the connection was lost.
Ctrl-C and other signals are passed on to the command; a second one ends the session.`

const FORWARD_HELP = `
  8080                     port 8080 here to port 8080 of the node
  56789:80                 port 56789 here to port 80 of the node
  :80                      a free port here; which one is printed
  5432:db.internal:5432    to a host that the node reaches
  0.0.0.0:8080:80          for other machines too, not only for this one
IPv6 addresses stand in brackets. Ctrl-C ends it, with exit status 0.`

const WHY_HELP = `
  principal   a user's name, user/NAME, group/NAME, role/NAME, or an ARN (also of a session of a role)
  resource    a node's name or id, a document's name (document/NAME where it could be a node's),
              session/ID, user/NAME, group/NAME, role/NAME, policy/NAME, instance-profile/NAME,
              an ARN, or * (which is what is meant where none is given)
What is known of a resource, such as its tags or whose session it is, is looked up. Nothing is known of where a request
comes from or where a tunnel leads: say it with --context, such as --context aws:SourceIp=192.0.2.1
  sallyport policy why alice ssm:StartSession web-1
  sallyport policy why role/Developers ssm:StartSession AWS-StartPortForwardingSession
  sallyport policy why alice ssm:StartSession AWS-StartPortForwardingSessionToRemoteHost \\
      --context sallyport:DestinationHost=db.internal --context sallyport:DestinationPort=5432
  sallyport policy why alice iam:PassRole role/SSMServiceRole`

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
    const program = await buildProgram(argv, context, async run => {
      exitCode = await run
    })
    await program.parseAsync([...argv], { from: 'user' })
    return exitCode
  } catch (error) {
    return report(error, context)
  }
}

const buildProgram = async (
  argv: readonly string[],
  context: CommandContext,
  finish: Finish,
): Promise<CommanderCommand> => {
  const { Command } = await import('commander')
  const program = new Command('sallyport')
    .exitOverride()
    .configureOutput({ writeOut: context.out, writeErr: context.err })

  withHint(settings(program.command('connect <node>')), /too many arguments/, HINT_AT_EXEC)
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

  withHint(settings(program.command('exec <node> [command...]')), /unknown option/, HINT_AT_DASHES)
    .description('run one command on a node; its input, output, errors and exit status are those of exec')
    .usage('<node> [options] -- <command> [arguments…]')
    .option('-t, --tty', 'on a terminal of the node, for programs that a person uses')
    .option('-n, --no-input', "leave this program's standard input alone")
    .option('--reason <text>', 'why; kept with the session')
    .option(
      '--document-name <name>',
      'the session document to use; gets the command as its parameter "command"',
    )
    .option(
      '--parameters <values>',
      "more of that document's parameters: name=value,… or JSON; may be repeated",
      collect,
    )
    .addHelpText('after', EXEC_HELP)
    .action((node: string, words: string[], _, command: CommanderCommand) => {
      if (hasOptionsBehind(words[0], argv))
        command.error(`error: an option behind the command\n${HINT_AT_DASHES}`)
      return finish(
        import('./commands/exec.ts').then(({ exec }) =>
          exec(node, words, command.optsWithGlobals(), context),
        ),
      )
    })

  defineRunCommands(program, argv, context, finish)

  settings(program.command('forward <node> <spec...>'))
    .description('make ports of a node, or of hosts that it reaches, ports of this machine')
    .usage('<node> [BIND:]LOCAL:PORT | PORT | [BIND:]LOCAL:HOST:PORT … [options]')
    .option('--socket <path>', 'take connections on a Unix socket; then give one PORT or HOST:PORT')
    .option('--reason <text>', 'why; kept with the session')
    .option('--document-name <name>', 'the session document to use')
    .option(
      '--parameters <values>',
      'more parameters for that document: name=value,… or JSON; may be repeated',
      collect,
    )
    .option('--json', 'one line of JSON on standard output for each forward that is ready')
    .addHelpText('after', FORWARD_HELP)
    .action((node: string, specs: string[], _, command: CommanderCommand) =>
      finish(
        import('./commands/forward.ts').then(({ forward }) =>
          forward(node, specs, command.optsWithGlobals(), context),
        ),
      ),
    )

  settings(program.command('ssh-proxy <node> [port]'))
    .description("one connection to a port of a node, on stdin and stdout: for ssh's ProxyCommand")
    .option('--reason <text>', 'why; kept with the session')
    .option('--document-name <name>', 'the session document to use', 'AWS-StartSSHSession')
    .addHelpText('after', "\n  ssh -o ProxyCommand='sallyport ssh-proxy %h %p' user@node")
    .action((node: string, port: string | undefined, _, command: CommanderCommand) =>
      finish(
        import('./commands/ssh-proxy.ts').then(({ sshProxy }) =>
          sshProxy(node, port, command.optsWithGlobals(), context),
        ),
      ),
    )

  settings(program.command('doctor [node]'))
    .description('look for whatever keeps you from a shell on a node')
    .action((node: string | undefined, _, command: CommanderCommand) =>
      finish(
        import('./commands/doctor.ts').then(({ doctor }) => doctor(node, command.optsWithGlobals(), context)),
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
    .description(
      'make an activation, and print the command that registers a machine with it (--json: its parts)',
    )
    .option('--name <name>', 'the name of the nodes')
    .option('--description <text>', 'what it is for')
    .option('--limit <number>', 'how many machines may use it', '1')
    .option('--expires-in <time>', 'such as 30m, 24h or 7d; at most 30d', '24h')
    .option('--iam-role <name>', 'the role of the nodes', 'SSMServiceRole')
    .option('--tag <key=value>', 'a tag of the nodes, for policies; may be repeated', collect)
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

  const policy = program.command('policy').description('what policies allow')
  settings(policy.command('why <principal> <action> [resource]'))
    .description('whether somebody may do something, and by which statements of which policies')
    .option('--context <key=value>', 'the value of a condition key; may be repeated', collect)
    .option('--json', 'as JSON, with all there is to know')
    .option('--exit-code', 'exit with 1 when the answer is no')
    .addHelpText('after', WHY_HELP)
    .action((principal: string, action: string, resource: string | undefined, _, command: CommanderCommand) =>
      finish(
        import('./commands/policy.ts').then(({ policyWhy }) =>
          policyWhy([principal, action, resource ?? '*'], command.optsWithGlobals(), context),
        ),
      ),
    )

  settings(program.command('trust'))
    .description("print the server's CA and how programs come to trust it, or install it on this machine")
    .option('--ca-hash <hash>', "what the CA must be: the line 'CA hash' that the server prints")
    .option('--data-dir <dir>', "the server's data directory, on the server itself, in place of its address")
    .option('--output <file>', 'write the CA to a file')
    .option('--install', "as root: add it to this machine's own list of CAs")
    .option('--uninstall', 'as root: take it out again')
    .action((_, command: CommanderCommand) =>
      finish(import('./commands/trust.ts').then(({ trust }) => trust(command.optsWithGlobals(), context))),
    )
  explainUsage(program, 'sallyport')
  return program
}

const HINT_AT_EXEC = 'To run a command: sallyport exec web-1 -- id'
const HINT_AT_DASHES = 'Put -- before a command with options: sallyport exec web-1 -- ls -l /'

/** Whose is it, ours or the command's? `exec web-1 grep -n x` must not lose its `-n` in silence. */
const hasOptionsBehind = (word: string | undefined, argv: readonly string[]): boolean =>
  word !== undefined && !argv.includes('--') && argv.slice(argv.indexOf(word)).some(text => /^-./.test(text))

/** An error is followed by how the command is used. */
const explainUsage = (command: CommanderCommand, name: string): void => {
  command.showHelpAfterError(`Usage: ${name} ${command.usage()}\n(--help shows what is possible)`)
  for (const each of command.commands) explainUsage(each, `${name} ${each.name()}`)
}

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
  if (name === 'ApiError' || name === 'ConnectionError') {
    const unreachable = String(code).startsWith('Connection')
    say(unreachable ? message : `${message} (${code}${requestId ? `, request ${requestId}` : ''})`)
    return unreachable ? EXIT.connectionLost : EXIT.failure
  }
  say(`this should not have happened: ${stack ?? String(error)}`)
  return EXIT.failure
}
