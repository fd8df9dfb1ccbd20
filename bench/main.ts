// `npm run bench`: measures this version side by side with OpenSSH on the same machine, in the same run. Prints
// tables and never passes or fails. `npm run bench -- echo memory` runs these parts alone.
import { cpus, totalmem } from 'node:os'
import { benchApi } from './api.ts'
import { benchCommands } from './commands.ts'
import { benchEcho } from './echo.ts'
import { benchForward } from './forward.ts'
import { benchGatewayMemory } from './gateway-memory.ts'
import { benchMemory } from './memory.ts'
import { openPeers, type Peers } from './peers.ts'
import { benchPolicies } from './policies.ts'
import { benchPrompt } from './prompt.ts'
import { benchThroughput } from './throughput.ts'

const parts: Readonly<Record<string, (peers: Peers) => Promise<void>>> = {
  prompt: benchPrompt,
  echo: benchEcho,
  memory: benchMemory,
  throughput: benchThroughput,
  forward: benchForward,
  gateway: benchGatewayMemory,
  api: benchApi,
  policies: benchPolicies,
  commands: benchCommands,
}

process.exit(await main(process.argv.slice(2)))

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter(name => parts[name] === undefined)
  if (unknown.length > 0) {
    console.error(`There is no part ${unknown.join(', ')}. Parts: ${Object.keys(parts).join(', ')}.`)
    return 2
  }
  const [cpu] = cpus()
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  console.log(`${cpus().length} × ${cpu?.model.trim()}, ${gigabytes} GiB, Node ${process.version}, loopback`)
  // Ctrl-C takes what was started away as an ordinary end does.
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'])
      process.once(signal, () => reject(new Error(`Ended by ${signal}.`)))
  })
  interrupted.catch(() => {})
  try {
    await using peers = await openPeers()
    for (const [name, part] of Object.entries(parts)) {
      if (names.length === 0 || names.includes(name)) await Promise.race([part(peers), interrupted])
    }
    return 0
  } catch (error) {
    console.error(error)
    return 1
  }
}
