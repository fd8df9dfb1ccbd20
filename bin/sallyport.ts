import { version } from '../package.json'
import { exitWith } from './exit.ts'

const HELP = `Usage: sallyport <command> [options]

Reach machines that accept no inbound connection, through a server of your own.

  server                 run the server; or make an administrator anew, when there is none left
  agent                  register a machine, run its agent, look for what keeps it offline
  connect <node>         open a shell on a node, by its id or name
  exec <node> -- ...     run one command on a node
  run <targets> -- ...   run a command on many nodes, with progress and results
  commands               list the commands that were run
  command show <id>      what became of one; also: command output, command cancel
  forward <node> <port>  make a port of a node a port of this machine
  ssh-proxy <node>       for ssh's ProxyCommand
  doctor [node]          look for whatever keeps you from a shell on a node
  nodes                  list the nodes
  sessions               list the sessions
  sessions end <id...>   end sessions
  activations            list what machines become nodes with
  activations create     make one, and print the command to run on the machine
  activations delete     delete one; its nodes stay
  policy why             whether somebody may do something, and by which statements
  trust                  print the server's CA, or install it on this machine

  --version              print the version
  <command> --help       what the command can do
`

/** The parts never meet in one process: each is loaded only by the command that needs it. */
const run = async (argv: readonly string[]): Promise<number> => {
  const [command, ...rest] = argv
  switch (command) {
    case 'server':
      return (await import('@sallyport/server/main')).runServer(rest)
    case 'agent':
      await (await import('@sallyport/agent/update/hand-over')).handOver(rest)
      return (await import('@sallyport/agent/main')).runAgent(rest)
    case '--version':
    case '-V':
      process.stdout.write(`${version}\n`)
      return 0
    case '--help':
    case '-h':
      process.stdout.write(HELP)
      return 0
    case undefined:
      process.stderr.write(HELP)
      return 2
    case 'help':
      if (rest.length > 0) return run([...rest, '--help'])
      process.stdout.write(HELP)
      return 0
    default:
      return (await import('@sallyport/cli/main')).runCli(argv)
  }
}

await exitWith(await run(process.argv.slice(2)))
