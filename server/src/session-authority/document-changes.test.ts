import { describe, expect, test } from 'vitest'
import type { SessionDocument } from '../documents/session-documents.ts'
import type { ManagedNode } from '../store/nodes.ts'
import { documentChange } from './document-changes.ts'

const own = { nodeId: 'mi-1', agentName: 'sallyport-agent', agentVersion: '3.3.2299.0' } as ManagedNode
const stock = { ...own, agentName: 'amazon-ssm-agent' } as ManagedNode

const shell: SessionDocument = {
  schemaVersion: '1.0',
  sessionType: 'Standard_Stream',
  parameters: { who: { type: 'String', allowedPattern: '^[a-z]+$', default: 'nobody' } },
}
const port = (more: object = {}): SessionDocument => ({
  schemaVersion: '1.0',
  sessionType: 'Port',
  parameters: { portNumber: { type: 'String', allowedPattern: '^[0-9]+$', default: '5432' } },
  properties: { portNumber: '{{ portNumber }}', host: 'db.internal', ...more },
})
const change = (before: SessionDocument, now: SessionDocument, parameters = {}, node = own) =>
  documentChange({ name: 'doc', version: '2', content: now }, { content: before, parameters }, node)

describe('a session by a document that was changed', () => {
  test('goes on where it would start again', () => {
    expect(change(shell, shell, { who: 'alice' })).toBeUndefined()
    expect(change(shell, { ...shell, description: 'new' }, { who: 'alice' })).toBeUndefined()
    expect(change(port(), port(), { portNumber: '5432' })).toBeUndefined()
    // A new default is nobody's business who has said what they want.
    const parameters = { portNumber: { type: 'String', default: '1' } } as const
    expect(change(port(), { ...port(), parameters }, { portNumber: '5432' })).toBeUndefined()
  })

  test('ends with its parameters refused', () => {
    const stricter: SessionDocument = {
      ...shell,
      parameters: { who: { type: 'String', allowedPattern: '^b' } },
    }
    expect(change(shell, stricter, { who: 'alice' })).toContain(
      'document doc changed: The parameters do not fit',
    )
    expect(change(shell, { ...shell, parameters: {} }, { who: 'alice' })).toContain("has no parameter 'who'")
    const more: SessionDocument = { ...shell, parameters: { ...shell.parameters, why: { type: 'String' } } }
    expect(change(shell, more, { who: 'alice' })).toContain("the parameter 'why' has no default")
  })

  test('keeps a default that is not made for callers', () => {
    const odd: SessionDocument = {
      ...shell,
      parameters: { who: { type: 'String', allowedPattern: '^[a-z]+$', default: '' } },
    }
    expect(change(odd, odd, { who: '' })).toBeUndefined()
  })

  test('ends with another type or another destination', () => {
    expect(change(shell, { ...shell, sessionType: 'InteractiveCommands' }, { who: 'a' })).toBe(
      'document doc starts sessions of type InteractiveCommands now, not Standard_Stream',
    )
    const elsewhere = 'document doc leads to another destination now'
    expect(change(port(), port({ host: 'other.internal' }), { portNumber: '5432' })).toBe(elsewhere)
    expect(change(port(), port({ portNumber: '22' }), { portNumber: '5432' })).toBe(elsewhere)
  })

  test.each([
    [undefined, ['*'], true],
    [undefined, ['db.internal'], true],
    [undefined, ['db.internal:5432'], true],
    [undefined, ['db.internal:*'], true],
    [undefined, ['*:5432'], true],
    [undefined, ['db.internal:22'], false],
    [undefined, ['10.0.0.0/8'], false],
    [undefined, [], false],
    [['10.0.0.0/8:*'], ['10.0.0.0/8:*', 'x'], true],
    [['10.0.0.0/8:*'], undefined, true],
    [['10.0.0.0/8:*', 'x'], ['x'], false],
  ])('with allowedDestinations %j that became %j: it goes on? %s', (before, now, goesOn) => {
    const [was, is] = [before, now].map(allowedDestinations =>
      port(allowedDestinations && { allowedDestinations }),
    )
    if (was === undefined || is === undefined) throw new Error('two documents')
    const ended = change(was, is, { portNumber: '5432' })
    expect(ended).toBe(goesOn ? undefined : 'document doc changed its allowedDestinations')
  })

  test('ends where an agent would not obey the document', () => {
    const now = port({ allowedDestinations: ['db.internal:5432'] })
    expect(change(port(), now, { portNumber: '5432' }, stock)).toContain('which only sallyport-agent obeys')
  })
})
