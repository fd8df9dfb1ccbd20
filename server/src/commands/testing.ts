// What the tests of commands share.

import { randomUUID } from 'node:crypto'
import type { NewCommand } from './commands.ts'

/** A command with the steps `one` and `two`. */
export function newCommand(more: Partial<NewCommand> = {}): NewCommand {
  return {
    commandId: randomUUID(),
    documentName: 'two-steps',
    documentVersion: '1',
    documentContent: {
      schemaVersion: '2.2',
      mainSteps: ['one', 'two'].map(name => ({
        action: 'aws:runShellScript',
        name,
        inputs: { runCommand: ['{{ commands }}'] },
      })),
    },
    boundParameters: { commands: ['true'] },
    parameters: { commands: ['true'] },
    instanceIds: [],
    targets: [],
    comment: 'a comment',
    ownerArn: 'arn:aws:iam::123456789012:user/ada',
    requestedAt: 1_700_000_000_000,
    timeoutSeconds: 3_600,
    executionMs: 3_600_000,
    maxConcurrency: '50',
    maxErrors: '0',
    settings: {},
    ...more,
  }
}
