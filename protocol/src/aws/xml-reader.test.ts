import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { xmlDocument } from './xml.ts'
import { readXml } from './xml-reader.ts'

describe('readXml', () => {
  test('reads an answer of IAM', () => {
    const text = `<?xml version="1.0" encoding="UTF-8"?>
      <ListGroupsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
        <ListGroupsResult>
          <Groups>
            <member><GroupName>a &amp; b</GroupName><Path>/</Path></member>
            <member><GroupName>&#x41;&#66;</GroupName></member>
          </Groups>
          <IsTruncated>false</IsTruncated><Empty/><Spaces>  </Spaces>
        </ListGroupsResult>
      </ListGroupsResponse>`
    expect(readXml(text)).toEqual({
      name: 'ListGroupsResponse',
      value: {
        ListGroupsResult: {
          Groups: [{ GroupName: 'a & b', Path: '/' }, { GroupName: 'AB' }],
          IsTruncated: 'false',
          Empty: '',
          Spaces: '  ',
        },
      },
    })
  })

  test.each([
    '',
    'text',
    '<a>',
    '<a></b>',
    '<a><b></a></b>',
    '<a/><b/>',
    '<a/>text',
    '<a>text<b/></a>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a>&x;</a>',
    '<a>&amp</a>',
    '<a>&#x110000;</a>',
    '<a><!-- b --></a>',
    '<a><![CDATA[b]]></a>',
    '<a b></a>',
    `${'<a>'.repeat(33)}${'</a>'.repeat(33)}`,
  ])('refuses %j', text => {
    expect(() => readXml(text)).toThrow()
  })

  test('an element called like what every object inherits is an element', () => {
    const { value } = readXml('<a><__proto__>x</__proto__><constructor>y</constructor></a>')
    expect(Object.entries(value)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  })

  test('the entries of a map are a list', () => {
    const text = xmlDocument('Root', {
      Map: new Map([
        ['a', 1],
        ['b', 2],
      ]),
    })
    expect(readXml(text).value).toEqual({
      Map: [
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
      ],
    })
  })

  test('reads whatever xmlDocument writes', () => {
    const leaf = fc.string({ unit: 'grapheme', minLength: 1 })
    const { tree } = fc.letrec(tie => ({
      tree: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('tree'), { minLength: 1 }), tie('object')),
      object: fc.dictionary(fc.constantFrom('Key', 'Value', 'Policies', 'Arn'), tie('tree'), { minKeys: 1 }),
    }))
    fc.assert(
      fc.property(tree, value => {
        expect(readXml(xmlDocument('Root', value)).value).toEqual(value)
      }),
    )
  })
})
