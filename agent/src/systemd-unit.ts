import { isAbsolute } from 'node:path'

export const UNIT_NAME = 'sallyport-agent.service'

export type UnitOptions = {
  /** Absolute path of the program. */
  execPath: string
  /** Its arguments, which name the configuration and the state directory. */
  args: readonly string[]
  stateDirectory: string
}

// systemd.service(5), "Command lines", and systemd.unit(5), "Specifiers": % and $ are expanded even within quotes.
const quote = (word: string): string => {
  if (/[\n\r\0]/.test(word))
    throw new Error(`A systemd unit cannot hold a line break: ${JSON.stringify(word)}`)
  const escaped = word
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$')
  return /^[\w@/.:=,+-]+$/.test(word) ? word : `"${escaped}"`
}

// In RequiresMountsFor= only specifiers and quotes are special.
const quotePath = (path: string): string => quote(path).replaceAll('$$', '$')

/** The text of the unit file. Throws for a path that is not absolute or holds a line break. */
export const unitText = ({ execPath, args, stateDirectory }: UnitOptions): string => {
  for (const path of [execPath, stateDirectory]) {
    if (!isAbsolute(path))
      throw new Error(`The path in a systemd unit must be absolute, and ${JSON.stringify(path)} is not.`)
  }
  return `# Written by "sallyport agent install"; removed by "sallyport agent uninstall".
[Unit]
Description=Sallyport agent
# The agent dials again by itself until the network is there, so it does not wait for it.
After=network.target nss-user-lookup.target
RequiresMountsFor=${quotePath(stateDirectory)}
# Never give up: the agent may be the only way to this node.
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart=${[execPath, ...args].map(quote).join(' ')}
WorkingDirectory=/
Restart=always
RestartSec=2
# Sessions end with the agent. KillMode=process would leave shells running that no one sees, records or can end.
# mixed: the agent is asked first and reports its sessions as ended; what then remains is killed.
KillMode=mixed
TimeoutStopSec=15
# A program of a session that runs out of memory must not take the agent and every other session with it.
OOMPolicy=continue
TasksMax=infinity
# Session shells are children of this unit and inherit its sandbox. NoNewPrivileges would disable sudo, ProtectHome and
# ProtectSystem would hide files that the user came for, PrivateTmp would show another /tmp than everybody's.

[Install]
WantedBy=multi-user.target
`
}
