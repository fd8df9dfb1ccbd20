import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { binDirectory, type Stack } from '../e2e/stack.ts'
import { accepting, end, freePort } from './openssh.ts'
import type { Peers } from './peers.ts'

/** A local port that leads to a target, and the process that keeps it open, if there is one. */
export type Tunnel = AsyncDisposable & { port: number }

const TARGET = fileURLToPath(new URL('./tcp-target.ts', import.meta.url))

/** The server that all tunnels of a run end at. */
export async function openTarget(): Promise<Tunnel> {
  const child = spawn(process.execPath, ['--import', 'tsx', TARGET], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return tunnel(Number(line), child)
}

/** The ways to a port of the node, by name. */
export const PEER = 'ssh -L'
export const JUMP = 'ssh -L through a jump host'
const OWN = 'sallyport forward'

export function tunnels({ stack, ssh }: Peers, target: Tunnel): Record<string, () => Promise<Tunnel>> {
  const throughSsh = async (...options: string[]) => {
    const port = await freePort()
    const forward = ['-N', '-F', ssh.configuration, '-L', `127.0.0.1:${port}:127.0.0.1:${target.port}`]
    const child = spawn('ssh', [...forward, ...options, 'node'], { stdio: 'inherit' })
    await accepting(port)
    return tunnel(port, child)
  }
  return {
    'plain TCP': async () => ({ port: target.port, async [Symbol.asyncDispose]() {} }),
    [PEER]: () => throughSsh(),
    [JUMP]: () => throughSsh('-J', 'jump'),
    [OWN]: () => openForward(stack, target.port),
  }
}

/** `sallyport forward` to a port of the stack's node. */
export async function openForward(stack: Stack, port: number): Promise<Tunnel & { pid: number }> {
  const env = { ...process.env, ...stack.env }
  const args = ['forward', stack.node.id, `0:${port}`]
  const child = spawn(`${binDirectory}/sallyport`, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  return { ...tunnel(await announcedPort(child), child), pid: child.pid ?? 0 }
}

async function announcedPort(child: ChildProcess): Promise<number> {
  let said = ''
  return await new Promise((resolve, reject) => {
    const listen = (chunk: Buffer) => {
      said += chunk.toString()
      const port = /127\.0\.0\.1:(\d+)/.exec(said)?.[1]
      if (port !== undefined) resolve(Number(port))
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.once('exit', () => reject(new Error(`sallyport forward ended: ${said}`)))
  })
}

function tunnel(port: number, child: ChildProcess): Tunnel {
  return {
    port,
    async [Symbol.asyncDispose]() {
      await end(child)
    },
  }
}
