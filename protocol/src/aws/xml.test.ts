import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AwsError } from './error.ts'
import { encodeXmlError, xmlDocument } from './xml.ts'

test('nested values, lists, maps and times', () => {
  const value = {
    Users: [{ Name: 'a', Age: 3 }, { Name: 'b' }],
    Empty: [],
    Map: new Map([['k', 1]]),
    Date: new Date('2026-01-02T03:04:05Z'),
    Precise: new Date('2026-01-02T03:04:05.678Z'),
    Flag: false,
    Gone: undefined,
  }
  expect(xmlDocument('R', value, { xmlns: 'urn:x', declaration: true })).toBe(
    '<?xml version="1.0" encoding="UTF-8"?>\n<R xmlns="urn:x">' +
      '<Users><member><Name>a</Name><Age>3</Age></member><member><Name>b</Name></member></Users><Empty></Empty>' +
      '<Map><entry><key>k</key><value>1</value></entry></Map><Date>2026-01-02T03:04:05Z</Date>' +
      '<Precise>2026-01-02T03:04:05.678Z</Precise><Flag>false</Flag></R>',
  )
  expect(xmlDocument('R', { set: [1, 2] }, { listItem: 'item' })).toBe(
    '<R><set><item>1</item><item>2</item></set></R>',
  )
})

test('text is escaped and loses what XML cannot carry', () => {
  expect(xmlDocument('R', `<a b="c">&'\r\n`)).toBe('<R>&lt;a b=&quot;c&quot;&gt;&amp;&apos;&#xD;\n</R>')
  expect(xmlDocument('R', 'a\u0000\u001b\ud800\ufffe\uffffb\t😀')).toBe('<R>ab\t😀</R>')
})

test('whatever the text, only the elements written are there', () => {
  const property = fc.property(fc.string({ unit: 'binary' }), content => {
    const written = xmlDocument('R', { T: content }).slice('<R><T>'.length, -'</T></R>'.length)
    expect(written).not.toMatch(/[<>"'\r]|&(?!(amp|lt|gt|quot|apos|#xD);)/)
  })
  fc.assert(property)
})

test('a name that would be an injection is refused', () => {
  expect(() => xmlDocument('R', { 'a><b': 1 })).toThrow('cannot be the name')
  expect(() => xmlDocument('', 1)).toThrow('cannot be the name')
})

test('a denial has the literal that agents look for', () => {
  const { status, headers, body } = encodeXmlError(
    new AwsError('AccessDeniedException', 'a < b', { status: 403 }),
    'req-1',
  )
  expect(status).toBe(403)
  expect(headers['x-amzn-requestid']).toBe('req-1')
  expect(new TextDecoder().decode(body)).toBe(
    '<AccessDeniedException><Message>a &lt; b</Message></AccessDeniedException>',
  )
})
