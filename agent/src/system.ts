import { readFile } from 'node:fs/promises'
import { hostname, networkInterfaces, platform, release } from 'node:os'
import { AGENT_COMPATIBILITY_VERSION, OWN_AGENT_NAME } from '@sallyport/protocol/versions'

const PLATFORM_TYPES: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  darwin: 'MacOS',
  win32: 'Windows',
}

/** What the node says of itself in UpdateInstanceInformation (control-plane.md 8.3). */
export async function describeSystem(instanceId: string): Promise<Record<string, string>> {
  const os = await osRelease()
  return {
    InstanceId: instanceId,
    AgentName: OWN_AGENT_NAME,
    AgentVersion: AGENT_COMPATIBILITY_VERSION,
    AgentStatus: 'Active',
    PlatformType: platformType(),
    PlatformName: os.NAME ?? platform(),
    PlatformVersion: os.VERSION_ID ?? release(),
    ComputerName: hostname(),
    IPAddress: firstAddress(),
    SSMConnectionChannel: 'ssmmessages',
  }
}

export function platformType(): string {
  return PLATFORM_TYPES[platform()] ?? 'Linux'
}

async function osRelease(): Promise<Record<string, string>> {
  try {
    return parseOsRelease(await readFile('/etc/os-release', 'utf8'))
  } catch {
    // Not a Linux with os-release(5): the kernel's own name and version have to do.
    return {}
  }
}

/** os-release(5): shell-like assignments, values perhaps in quotes. */
export function parseOsRelease(text: string): Record<string, string> {
  const pairs = text.matchAll(/^([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|([^\s#]*))/gm)
  return Object.fromEntries(
    [...pairs].map(([, key, double, single, bare]) => [key, double ?? single ?? bare]),
  )
}

/** An address that others could know this machine by; loopback if it has none. */
function firstAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? [])
  const outward = addresses.filter(address => !address.internal)
  return (outward.find(address => address.family === 'IPv4') ?? outward[0])?.address ?? '127.0.0.1'
}
