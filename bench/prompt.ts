import { apiClient, openOwnShell, type Stamps } from './own-client.ts'
import { leave, type Peers, PROMPT, shells } from './peers.ts'
import { figure, median, printTable, ratio } from './table.ts'

const RUNS = 11

/** From the start of each program to its prompt, in turns; then where the time of a session goes. */
export async function benchPrompt(peers: Peers): Promise<void> {
  const ways = shells(peers)
  const times = new Map<string, number[]>(Object.keys(ways).map(name => [name, []]))
  const client = apiClient(peers.stack)
  const stages: Stages[] = []
  for (let run = 0; run < RUNS; run++) {
    for (const [name, open] of Object.entries(ways)) {
      const started = performance.now()
      await using terminal = open()
      await terminal.waitFor(PROMPT)
      times.get(name)?.push(performance.now() - started)
      await leave(terminal)
    }
    const shell = await openOwnShell(peers.stack, client)
    await shell.leave()
    stages.push(stagesOf(peers, shell.sessionId, shell.stamps))
  }
  const ssh = median(times.get('ssh localhost') ?? [])
  printTable(
    `Start of the program to its prompt, ms (median of ${RUNS})`,
    ['way', 'ms', 'to ssh'],
    [...times].map(([name, all]) => [name, figure(median(all)), ratio(median(all), ssh)]),
  )
  printStages(stages)
}

/** Milliseconds since StartSession was sent, by what had happened. */
type Stages = Map<string, number | undefined>

function stagesOf({ stack }: Peers, sessionId: string, stamps: Stamps): Stages {
  const { sent = 0 } = stamps
  const since = (time: number | undefined) => (time === undefined ? undefined : time - sent)
  const server = logLines(stack.server.output)
  const agent = logLines(stack.node.process.output)
  const about = (lines: LogLine[], message: string, role?: string) =>
    lines.find(
      line =>
        line.sessionId === sessionId &&
        (line.msg ?? line.message) === message &&
        (role === undefined || line.role === role),
    )?.at
  const channel = server.find(line => line.operation === 'CreateDataChannel' && line.at >= sent)
  return new Map([
    ['client: StartSession is answered', since(stamps.answered)],
    ['agent: has the task', since(about(agent, 'session starting'))],
    ['server: CreateDataChannel is answered', since(channel?.at)],
    ['client: websocket is open', since(stamps.connected)],
    ["server: has the client's opening frame", since(about(server, 'data channel open', 'client'))],
    ["server: has the agent's opening frame", since(about(server, 'data channel open', 'agent'))],
    ['client: has the handshake request', since(stamps.handshake)],
    ['client: first byte of output', since(stamps.firstByte)],
    ['client: whole prompt', since(stamps.prompt)],
  ])
}

function printStages(stages: readonly Stages[]): void {
  const [first] = stages
  if (first === undefined) return
  const rows = [...first.keys()].map((name): [string, number, number] => {
    const values = stages.map(stage => stage.get(name)).filter(value => value !== undefined)
    return [name, median(values), Math.min(...values)]
  })
  printTable(
    `Where the time goes: ms since StartSession was sent, our client in this process (${stages.length} runs; log times are whole ms)`,
    ['what has happened', 'median', 'least'],
    rows.sort((a, b) => a[1] - b[1]).map(([name, middle, least]) => [name, figure(middle), figure(least)]),
  )
}

type LogLine = {
  at: number
  msg?: string
  message?: string
  sessionId?: string
  role?: string
  operation?: string
}

function logLines(output: string): LogLine[] {
  return output.split('\n').flatMap(line => {
    if (!line.startsWith('{')) return []
    const fields = JSON.parse(line) as Omit<LogLine, 'at'> & { time: string }
    return [{ ...fields, at: Date.parse(fields.time) }]
  })
}
