import type { Command } from 'commander'
import { collect, type Finish, settings, withHint } from '../command-line.ts'
import type { CommandContext } from '../context.ts'

const RUN_HELP = `
Targets:
  web-1 mi-0123456789abcdef0     nodes, by id or name as 'connect' finds them; up to 50
  tag:env=dev,test tag:role=web  nodes by their tags: one of the values, all of the tags
  --all                          every node that is online
The words behind -- are joined by blanks and read by a shell on the node, as the agent's user (root as a rule):
  sallyport run tag:role=web -- 'df -h / | tail -1'
  sallyport run web-1 web-2 - < script.sh
  sallyport run tag:env=dev --document AWS-RunPowerShellScript --parameter commands=Get-Date
Exit status: 0 if every node succeeded; of a single node that of its command; else 1. 130 after Ctrl-C, 2 wrong
arguments, 255 the server could not be reached.
Ctrl-C asks whether to cancel; without a terminal it cancels. A second one leaves at once: the command goes on.`

const HINT_AT_DASHES = 'Put -- before the command: sallyport run web-1 web-2 -- ls -l /'

/** The commands that have to do with Run Command. */
export const defineRunCommands = (
  program: Command,
  argv: readonly string[],
  context: CommandContext,
  finish: Finish,
): void => {
  defineRun(program, argv, context, finish)
  defineList(program, context, finish)
  defineCommand(program, context, finish)
}

const defineRun = (program: Command, argv: readonly string[], context: CommandContext, finish: Finish) => {
  const run = withHint(settings(program.command('run [targets...]')), /unknown option/, HINT_AT_DASHES)
    .description('run a command on one node or on many, and show what becomes of it')
    .usage('<targets…> [options] -- <command…>')
  addTargets(run)
  addDocument(run)
  addOutput(run)
    .addHelpText('after', RUN_HELP)
    .action((operands: string[], _, command: Command) =>
      finish(
        import('../commands/run.ts').then(({ run }) =>
          run(split(operands, argv), command.optsWithGlobals(), context),
        ),
      ),
    )
}

const addTargets = (run: Command): Command =>
  run
    .option('--all', 'all nodes that are online; asks first, unless --yes is given')
    .option('--yes', 'does not ask')
    .option(
      '--targets <targets>',
      "in AWS's syntax: Key=tag:env,Values=dev,test or JSON; may be repeated",
      collect,
    )
    .option('--max-concurrency <n>', 'on how many nodes at a time: a number or a percentage (50)')
    .option(
      '--max-errors <n>',
      'after more failures than this no further nodes begin: a number or a percentage (0)',
    )

const addDocument = (run: Command): Command =>
  run
    .option('--file <script>', 'run this script; - is standard input')
    .option('--document <name>', 'a command document in place of a shell command')
    .option('--document-version <version>', 'which version of it')
    .option(
      '--parameter <name=value>',
      'a parameter of the document; the value may be a JSON list; may be repeated',
      collect,
    )
    .option('--working-directory <dir>', 'where the command runs')
    .option('--comment <text>', 'what it is for; kept with the command, at most 100 characters')
    .option(
      '--timeout <time>',
      'how long nodes that are offline may take to come back: 10m, 2h; 30s to 30d (1h)',
    )
    .option('--execution-timeout <time>', 'how long it may run on a node: 90s, 10m, 2h; 5s to 2d (1h)')

const addOutput = (run: Command): Command =>
  run
    .option(
      '--output <how>',
      'prefix: lines behind the name of their node (of several nodes); grouped: all of a node at once; none',
    )
    .option('--json', 'one JSON object at the end, with the result of every node')
    .option('--json-lines', 'a line of JSON for each event and each piece of output, as they come')
    .option('--detach', 'do not wait; print the id of the command')

/** Targets are before `--`, the command behind it. A single `-` in its place is a script on standard input. */
const split = (operands: readonly string[], argv: readonly string[]) => {
  const dashes = argv.indexOf('--')
  const words = dashes === -1 ? [] : operands.slice(operands.length - (argv.length - dashes - 1))
  const targets = operands.slice(0, operands.length - words.length)
  if (words.length === 0 && targets.at(-1) === '-') return { targets: targets.slice(0, -1), words: ['-'] }
  return { targets, words }
}

const defineList = (program: Command, context: CommandContext, finish: Finish) => {
  settings(program.command('commands'))
    .description('list the commands that were run, the newest first')
    .option('--status <status>', 'such as InProgress, Success, Failed, TimedOut, Cancelled')
    .option('--node <node>', 'those of one node, by its id or name')
    .option('--limit <number>', 'how many', '50')
    .option('--json', 'as JSON, with all there is to know')
    .action((_, command: Command) =>
      finish(
        import('../commands/commands.ts').then(({ commands }) =>
          commands(command.optsWithGlobals(), context),
        ),
      ),
    )
}

const defineCommand = (program: Command, context: CommandContext, finish: Finish) => {
  const parent = program.command('command').description('what became of a command; cancel it; its output')
  settings(parent.command('show <id>'))
    .description('what became of a command, by its id or the beginning of it')
    .option('--node <node>', 'on one node, with every step')
    .option('--step <step>', 'output of this step only')
    .option('--status <status>', 'only the nodes with this status')
    .option('--output', 'and all that the nodes wrote')
    .option('--json', 'as JSON, with all there is to know')
    .action((id: string, _, command: Command) =>
      finish(
        import('../commands/command-show.ts').then(({ showCommand }) =>
          showCommand(id, command.optsWithGlobals(), context),
        ),
      ),
    )
  settings(parent.command('cancel <id> [nodes...]'))
    .description('cancel a command, on some nodes or on all')
    .action((id: string, nodes: string[], _, command: Command) =>
      finish(
        import('../commands/command.ts').then(({ cancelCommand }) =>
          cancelCommand(id, nodes, command.optsWithGlobals(), context),
        ),
      ),
    )
  settings(parent.command('output <id> <node>'))
    .description('all that a command wrote on a node: its output and its errors')
    .option('--step <step>', 'of this step, where the document has several')
    .option('--follow', 'as it comes, until the command has ended')
    .action((id: string, node: string, _, command: Command) =>
      finish(
        import('../commands/command.ts').then(({ commandOutput }) =>
          commandOutput(id, node, command.optsWithGlobals(), context),
        ),
      ),
    )
}
