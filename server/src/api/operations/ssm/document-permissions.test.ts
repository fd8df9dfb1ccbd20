import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const content = JSON.stringify({ schemaVersion: '1.0', sessionType: 'Standard_Stream' })
const create = (Name: string) =>
  api.call('CreateDocument', { Name, DocumentType: 'Session', Content: content })

describe('a document that is shared', () => {
  const Name = 'shared'
  const share = (more: object) => ({ Name, PermissionType: 'Share', ...more })
  const modify = (more: object) => api.code('ModifyDocumentPermission', share(more))
  const described = (more: object = {}) => api.ok('DescribeDocumentPermission', share(more))
  const A = '210987654321'

  test('says with whom, and is not deleted before it is taken from them', async () => {
    await create(Name)
    expect(await described()).toEqual({ AccountIds: [], AccountSharingInfoList: [] })
    expect(await modify({ AccountIdsToAdd: ['All', A] })).toBe('')
    expect(await modify({ AccountIdsToAdd: [A], SharedDocumentVersion: '$ALL' })).toBe('')
    expect(await described()).toEqual({
      AccountIds: [A, 'all'],
      AccountSharingInfoList: [
        { AccountId: A, SharedDocumentVersion: '$ALL' },
        { AccountId: 'all', SharedDocumentVersion: '$DEFAULT' },
      ],
    })
    const page = await described({ MaxResults: 1 })
    expect(page.AccountIds).toEqual([A])
    expect(await described({ NextToken: page.NextToken })).toMatchObject({ AccountIds: ['all'] })
    expect(await api.code('DeleteDocument', { Name })).toBe('InvalidDocumentOperation')
    const listed = (owner: string) =>
      api.ok('ListDocuments', {
        Filters: [
          { Key: 'Owner', Values: [owner] },
          { Key: 'Name', Values: [Name] },
        ],
      })
    expect((await listed('Public')).DocumentIdentifiers).toHaveLength(1)
    expect((await listed('Private')).DocumentIdentifiers).toHaveLength(0)
    expect(await modify({ AccountIdsToRemove: ['all', A] })).toBe('')
    expect(await api.code('DeleteDocument', { Name })).toBe('')
    await create(Name)
    expect(await described()).toMatchObject({ AccountIds: [] })
  })

  test('is one of this account, shared in the one way there is', async () => {
    expect(await modify({ PermissionType: 'Use' })).toBe('InvalidPermissionType')
    expect(await modify({ AccountIdsToAdd: ['123456789012'] })).toBe('ValidationException')
    expect(await modify({ AccountIdsToAdd: ['me'] })).toBe('ValidationException')
    expect(await modify({ AccountIdsToAdd: [A], AccountIdsToRemove: [A] })).toBe('ValidationException')
    expect(await modify({ AccountIdsToAdd: [A], SharedDocumentVersion: '9' })).toBe('InvalidDocumentVersion')
    expect(await modify({ Name: 'nope' })).toBe('InvalidDocument')
    expect(await modify({ Name: 'AWS-RunShellScript' })).toBe('InvalidDocumentOperation')
    expect(await api.code('DescribeDocumentPermission', share({ NextToken: '!' }))).toBe('InvalidNextToken')
  })

  test('is so with a thousand others at most', async () => {
    const accounts = Array.from({ length: 1000 }, (_, i) => String(100_000_000_000 + i))
    for (let i = 0; i < accounts.length; i += 20) {
      expect(await modify({ AccountIdsToAdd: accounts.slice(i, i + 20) })).toBe('')
    }
    expect(await modify({ AccountIdsToAdd: [A] })).toBe('DocumentPermissionLimit')
    expect(await modify({ AccountIdsToAdd: [A], AccountIdsToRemove: accounts.slice(0, 1) })).toBe('')
    await api.store.documentShares.clear(scope, Name)
  })
})
