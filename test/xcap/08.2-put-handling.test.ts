// RFC 4825 clause 8.2: PUT handling. Where a rule is about the order of checks, the request breaks both rules.
import { describe, expect, test } from '@jest/globals';
import { groupDocument } from '../../src/documents/documents.testkit.ts';
import { rawRequest, Wire } from '../../src/xcap/wire.testkit.ts';
import { vectorsOf } from './vectors.ts';
import {
  attributeType,
  elementType,
  groups,
  groupType,
  keeper,
  own,
  plain,
  plainType,
  stored,
  textOf,
  xcapServer,
} from './xcap-server.ts';

const server = xcapServer();

vectorsOf('8.2', server);

const document = '<?xml version="1.0"?>\n<a>\n <b n="1"/>\n <c/>\n</a>';

describe('RFC 4825 8.2.1: locating the parent comes before everything that concerns the body', () => {
  test.each([
    [
      'a parent that is missing before the precondition',
      'a/x/y',
      { 'If-Match': '"other"' },
      elementType,
      409,
      'no-parent',
    ],
    ['a parent that is missing before the media type', 'a/x/y', {}, 'text/plain', 409, 'no-parent'],
    [
      'a precondition before the media type',
      'a/b',
      { 'If-Match': '"other"' },
      'text/plain',
      412,
      'precondition-failed',
    ],
    ['the media type before the body', 'a/b', {}, 'text/plain', 415, 'unsupported-media-type'],
    ['an ambiguous target before the body', 'a/*', {}, elementType, 409, 'cannot-insert'],
    ['an ambiguous parent', 'a/*/y', {}, elementType, 409, 'no-parent'],
  ])('%s', async (_rule, selector, headers, type, status, code) => {
    const { path } = await stored(server, document);
    const answer = await server.send('PUT', `${path}/~~/${selector}`, { type, headers, body: '<broken' });
    expect(answer).toMatchObject({ status });
    expect(answer.body).toContain(code);
    expect(await textOf(server, path)).toBe(document);
  });

  test('RFC 9110 10.1.1: a caller that waits for 100 learns of it without having sent the body', async () => {
    const { path } = await stored(server, document);
    const wire = await Wire.open(server.root);
    const fields = {
      'X-3GPP-Asserted-Identity': `"${keeper}"`,
      'Content-Type': elementType,
      'Content-Length': '1000',
      Expect: '100-continue',
    };
    wire.write(rawRequest('PUT', `/xcap-root/${path}/~~/a/x/y`, fields));
    expect(await wire.answer('PUT')).toMatchObject({ status: 409 });
    wire.destroy();
  });
});

describe('RFC 4825 8.2.1 and 11.1: no-parent names the closest ancestor as a URI', () => {
  const ancestorOf = (body: string): string | undefined =>
    /<ancestor>([^<]*)<\/ancestor>/.exec(body)?.[1]?.replaceAll('&amp;', '&');

  test('in full, percent-encoded, with the bindings that its prefixes need; it can be fetched', async () => {
    const { path } = await stored(server, '<a><p:b xmlns:p="urn:p(1)" n="x y"/></a>');
    const selector = 'a/q:b%5B@n=%22x%20y%22%5D/c/d?xmlns(q=urn:p%5E(1%5E))xmlns(r=urn:r)';
    const answer = await server.send('PUT', `${path}/~~/${selector}`, { type: elementType, body: '<d/>' });
    expect(answer).toMatchObject({ status: 409, headers: { 'content-type': 'application/xcap-error+xml' } });
    const ancestor = ancestorOf(answer.body) ?? '';
    expect(ancestor).toBe(`${server.root}/${path}/~~/a/q:b%5B@n=%22x%20y%22%5D?xmlns(q=urn:p%5E(1%5E))`);
    const below = ancestor.slice(server.root.length + 1);
    expect(await server.send('GET', below)).toMatchObject({ status: 200, body: '<p:b xmlns:p="urn:p(1)" n="x y"/>' });
  });

  test('for a document that is not there, the directory that could hold it', async () => {
    const answer = await server.send('PUT', `${own('org.example.plain', 'none.xml')}/~~/a/b`, {
      type: elementType,
      body: '<b/>',
    });
    expect(answer).toMatchObject({ status: 409 });
    expect(ancestorOf(answer.body)).toBe(`${server.root}/org.example.plain/users/${keeper}`);
  });

  test('for a directory that is not there, the closest one that is; in full, like all others', async () => {
    const { status, body } = await server.send('PUT', own('org.example.plain', 'folder/none.xml'), {
      type: 'application/vnd.example.plain+xml',
      body: '<a/>',
    });
    expect(status).toBe(409);
    expect(ancestorOf(body)).toBe(`${server.root}/org.example.plain/users/${keeper}`);
  });

  test('another document element has no ancestor', async () => {
    const { path } = await stored(server, document);
    const answer = await server.send('PUT', `${path}/~~/other/b`, { type: elementType, body: '<b/>' });
    expect(answer.body).toMatch(/<no-parent[^>]*\/>/);
  });
});

describe('RFC 4825 8.2.2: verifying document content', () => {
  test.each([
    ['application/xcap-el+xml;charset=utf-8', 200],
    ['Application/XCAP-EL+XML; charset="UTF-8"; x=y', 200],
    ['application/xcap-att+xml', 415],
    ['application/xml', 415],
  ])('an element of type %s is %i', async (type, status) => {
    const { path } = await stored(server, document);
    expect(await server.send('PUT', `${path}/~~/a/b`, { type, body: '<b n="2"/>' })).toMatchObject({ status });
  });

  test('a body without a type is 415, and the answer names the right one', async () => {
    const { path } = await stored(server, document);
    const answer = await server.send('PUT', `${path}/~~/a/b`, { body: '<b/>' });
    expect(answer).toMatchObject({ status: 415, headers: { accept: elementType } });
    expect(answer.headers['accept-encoding']).toBeUndefined();
  });

  test('RFC 9110 12.5.3: a body with a content coding is 415, and the answer says that it must have none', async () => {
    const { path } = await stored(server, document);
    const put = (coding: string) =>
      server.send('PUT', `${path}/~~/a/b`, {
        type: elementType,
        headers: { 'Content-Encoding': coding },
        body: '<b/>',
      });
    const answer = await put('gzip');
    expect(answer).toMatchObject({ status: 415, headers: { 'accept-encoding': 'identity' } });
    expect(answer.headers.accept).toBeUndefined();
    expect(await put('Identity')).toMatchObject({ status: 200 });
  });

  test.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['text', 'text'],
    ['two elements', '<b/><b/>'],
    ['an element and text', '<b/>text'],
    ['an element and a comment', '<b/><!-- -->'],
    ['an end tag of the parent', '</a><a>'],
    ['a document type declaration', '<!DOCTYPE b><b/>'],
    ['an entity', '<b>&amp;&secret;</b>'],
    ['a prefix that nothing binds', '<z:b/>'],
    ['an attribute twice', '<b n="1" n="2"/>'],
    ['a control character', '<b>\x01</b>'],
    ['an unclosed CDATA section', '<b><![CDATA[</b>'],
    ['NUL, which is UTF-8 but no character of XML,', '<b>\0</b>'],
    ['a processing instruction before the element', '<?p i?><b/>'],
    ['deep nesting that does not end', '<b>'.repeat(70)],
  ])('%s is no fragment of exactly one element', async (_what, body) => {
    const { path, etag } = await stored(server, document);
    const answer = await server.send('PUT', `${path}/~~/a/b`, { type: elementType, body });
    expect(answer).toMatchObject({ status: 409, headers: { 'content-type': 'application/xcap-error+xml' } });
    expect(answer.body).toContain('<not-xml-frag');
    expect((await server.send('HEAD', path)).headers.etag).toBe(etag);
  });

  test.each([
    ['<z:b/>', 'line 1: Namespace prefix z on b is not defined'],
    ['<b n="1" n="2"/>', 'line 1: Attribute n redefined'],
    ['<b>\n&secret;</b>', "line 2: Entity 'secret' not defined"],
    // what concerns the place around it means nothing to the caller
    ['<b>', 'The body is not a well-balanced fragment of exactly one element'],
    ['</b>', 'The body is not a well-balanced fragment of exactly one element'],
    ['<b/><b/>', 'The body is not a well-balanced fragment of exactly one element'],
    // the same from the thread that reads large bodies
    [`<z:b>${'x'.repeat(40_000)}</z:b>`, 'line 1: Namespace prefix z on b is not defined'],
  ])('the phrase says what is wrong with the body: case %#', async (body, phrase) => {
    const { path } = await stored(server, document);
    const answer = await server.send('PUT', `${path}/~~/a/b`, { type: elementType, body });
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body).toContain(`<not-xml-frag phrase="${phrase}"/>`);
  });

  test.each([
    ['octets that are no UTF-8', Buffer.from('3c623eff3c2f623e', 'hex'), 'not-utf-8'],
    ['an overlong form', Buffer.from('3c623ec0af3c2f623e', 'hex'), 'not-utf-8'],
    ['UTF-16', Buffer.from('<b/>', 'utf16le'), 'not-utf-8'],
    ['another encoding declared', Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><b/>'), 'not-utf-8'],
  ])('%s', async (_what, body, code) => {
    const { path } = await stored(server, document);
    const answer = await server.send('PUT', `${path}/~~/a/b`, { type: elementType, body });
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body).toContain(`<${code}`);
  });

  test.each([
    ['NUL, which is UTF-8 but no character of XML', Buffer.from('<a>\0</a>'), 'not-well-formed'],
    ['a reference to NUL', Buffer.from('<a>&#0;</a>'), 'not-well-formed'],
    ['UTF-16 without a mark', Buffer.from('<a/>', 'utf16le'), 'not-utf-8'],
    ['UTF-16 with a mark', Buffer.from('\ufeff<a/>', 'utf16le'), 'not-utf-8'],
    ['octets that are no UTF-8', Buffer.from('<a>\xff</a>', 'latin1'), 'not-utf-8'],
  ])('a document with %s', async (_what, body, code) => {
    const answer = await server.send('PUT', own(plain, 'nul.xml'), { type: plainType, body });
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body).toContain(`<${code}`);
  });

  test.each([
    ['nesting', `${'<b>'.repeat(70)}${'</b>'.repeat(70)}`, 'elements are nested too deeply'],
    [
      'attributes',
      `<b ${Array.from({ length: 300 }, (_, at) => `a${at}=""`).join(' ')}/>`,
      'too many attributes in one element',
    ],
    ['a name', `<b><${'c'.repeat(2000)}/></b>`, 'a name is too long'],
  ])('%s beyond the limits is a fragment all the same, which breaks a constraint', async (_what, body, phrase) => {
    const { path, etag } = await stored(server, document);
    for (const [node, type] of [
      [`${path}/~~/a/b`, elementType],
      [path, plainType],
    ] as const) {
      const answer = await server.send('PUT', node, { type, body });
      expect(answer).toMatchObject({ status: 409 });
      expect(answer.body).toContain(`<constraint-failure phrase="${phrase}"/>`);
    }
    expect((await server.send('HEAD', path)).headers.etag).toBe(etag);
  });

  test.each([
    '',
    'value',
    '"',
    '"a',
    '"a"b"',
    '"a" x="b"',
    '"<"',
    '"&"',
    '"&nbsp;"',
    '"\x02"',
    '"\0"',
    '"v""w"',
    '"v" ?',
  ])('%j is no attribute value', async (body) => {
    const { path } = await stored(server, document);
    const answer = await server.send('PUT', `${path}/~~/a/b/@n`, { type: attributeType, body });
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body).toContain('<not-xml-att-value');
    expect(await textOf(server, path)).toBe(document);
  });
});

test('RFC 4825 8.2.3: a new attribute needs a prefix in scope for its namespace, and the report names what is missing', async () => {
  const { path } = await stored(server, '<a xmlns:x="urn:x"><b xmlns:y="urn:y"/><c xmlns="urn:z"/></a>');
  const put = (node: string) => server.send('PUT', `${path}/~~/a/${node}`, { type: attributeType, body: '"v"' });
  expect(await put('b/@p:n?xmlns(p=urn:x)')).toMatchObject({ status: 201 });
  expect(await put('b/@p:m?xmlns(p=urn:y)')).toMatchObject({ status: 201 });
  expect(await textOf(server, path)).toBe(
    '<a xmlns:x="urn:x"><b xmlns:y="urn:y" x:n="v" y:m="v"/><c xmlns="urn:z"/></a>',
  );
  for (const [node, phrase] of [
    ['@p:n?xmlns(p=urn:y)', 'The element has no prefix in scope for the namespace of p:n'],
    // the default namespace does not count for attributes
    ['z:c/@z:n?xmlns(z=urn:z)', 'The element has no prefix in scope for the namespace of z:n'],
    ['b/@xmlns', 'A namespace declaration is no attribute'],
  ] as const) {
    const answer = await put(node);
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body).toContain(`<cannot-insert phrase="${phrase}"/>`);
  }
});

describe('RFC 4825 8.2.3: the element arrives where the text says, octet for octet', () => {
  const list = '<a>\n <b n="1"/>\n <!-- c -->\n <d n="1"/>\n</a>';

  test.each([
    ['a/b%5B@n=%222%22%5D', '<b n="2"/>', list.replace('<b n="1"/>', '<b n="1"/><b n="2"/>')],
    ['a/b%5B1%5D%5B@n=%222%22%5D', '<b n="2"/>', list.replace('<b n="1"/>', '<b n="2"/><b n="1"/>')],
    ['a/*%5B1%5D%5B@n=%222%22%5D', '<e n="2"/>', list.replace('<b n="1"/>', '<e n="2"/><b n="1"/>')],
    ['a/*%5B2%5D%5B@n=%222%22%5D', '<e n="2"/>', list.replace('<b n="1"/>', '<b n="1"/><e n="2"/>')],
    ['a/e', '<e/>', list.replace('</a>', '<e/></a>')],
    ['a/b/e', '<e/>', list.replace('<b n="1"/>', '<b n="1"><e/></b>')],
  ])('%s, and a DELETE of the same URI undoes it', async (selector, body, expected) => {
    const { path } = await stored(server, list);
    const node = `${path}/~~/${selector}`;
    expect(await server.send('PUT', node, { type: elementType, body })).toMatchObject({ status: 201 });
    expect(await textOf(server, path)).toBe(expected);
    expect(await server.send('DELETE', node)).toMatchObject({ status: 200 });
    // a parent that was an empty tag stays open
    const after = list.replace('<b n="1"/>', selector === 'a/b/e' ? '<b n="1"></b>' : '<b n="1"/>');
    expect(await textOf(server, path)).toBe(after);
  });
});

describe('RFC 4825 8.2.5: what an edit makes of the document is validated before it is stored', () => {
  const uri = 'sip:edited@mcx.alpha.example';
  const members = ['sip:one@mcx.alpha.example', 'sip:two@mcx.alpha.example'];
  let number = 0;

  async function group(): Promise<{
    readonly path: string;
    readonly list: string;
    readonly uri: string;
    readonly etag: string;
  }> {
    const own_ = uri.replace('edited', `edited-${++number}`);
    const path = own(groups, `edited-${number}.xml`);
    const body = groupDocument({ uri: own_, members });
    const { headers } = await server.send('PUT', path, { type: groupType, body });
    return { path, list: `${path}/~~/group/list-service/list`, uri: own_, etag: headers.etag ?? '' };
  }

  test('schema, uniqueness and constraints of group documents hold for parts of them', async () => {
    const { path, list, etag } = await group();
    const put = (node: string, body: string, type = elementType) => server.send('PUT', node, { type, body });
    const first = `${list}/entry%5B1%5D`;
    for (const [answer, code] of [
      [await put(`${list}/stranger`, '<stranger/>'), 'schema-validation-error'],
      [await put(`${first}/@uri`, `"${members[1]}"`, attributeType), 'uniqueness-failure'],
      [await put(`${first}/@uri`, '"no uri"', attributeType), 'constraint-failure'],
      [await server.send('DELETE', `${first}/@uri`), 'schema-validation-error'],
      [await server.send('DELETE', `${path}/~~/group/list-service`), 'schema-validation-error'],
      [
        await put(`${path}/~~/group/list-service/@uri`, '"sip:x@elsewhere.example"', attributeType),
        'uniqueness-failure',
      ],
    ] as const) {
      expect(answer).toMatchObject({ status: 409, headers: { 'content-type': 'application/xcap-error+xml' } });
      expect(answer.body).toContain(`<${code}`);
    }
    expect((await server.send('HEAD', path)).headers.etag).toBe(etag);
  });

  test('an element that a namespace which the server lists in xcap-caps does not have is 409; one of an unknown namespace is kept', async () => {
    const caps = (await server.send('GET', 'xcap-caps/global/index')).body;
    const { path, uri: groupId, etag } = await group();
    for (const [markup, accepted] of [
      ['<x xmlns="urn:ietf:params:xml:ns:common-policy"/>', false],
      ['<x xmlns="urn:ietf:params:xml:ns:resource-lists"/>', false],
      ['<x xmlns="urn:ietf:params:xml:ns:xcap-caps"/>', false],
      ['<x xmlns="urn:unknown"/>', true],
      // TS 24.481 7.2.4: elements of later releases are to be expected
      ['<x xmlns="urn:3gpp:ns:mcpttGroupInfo:1.0"/>', true],
    ] as const) {
      const [, namespace = ''] = /xmlns="([^"]*)"/.exec(markup) ?? [];
      if (!accepted) expect(caps).toContain(`<namespace>${namespace}</namespace>`);
      const node = `${path}/~~/group/list-service/x:x?xmlns(x=${namespace})`;
      const edited = await server.send('PUT', node, { type: elementType, body: markup });
      const whole = groupDocument({ uri: groupId, members })
        .toString()
        .replace('</list-service>', `${markup}</list-service>`);
      const put = await server.send('PUT', path, { type: groupType, body: whole });
      for (const answer of [edited, put]) {
        expect(answer.status === 409).toBe(!accepted);
        if (!accepted) expect(answer.body).toContain('<schema-validation-error');
      }
      if (!accepted) expect((await server.send('HEAD', path)).headers.etag).toBe(etag);
    }
    const plainDocument = await server.send('PUT', own(plain, 'known.xml'), {
      type: plainType,
      body: '<a><x xmlns="urn:ietf:params:xml:ns:xcap-caps"/></a>',
    });
    expect(plainDocument).toMatchObject({ status: 409 });
  });

  test('TS 24.481 6.3.2.3: a group ID in use elsewhere is refused with values that are free', async () => {
    const taken = await group();
    const { path } = await group();
    const node = `${path}/~~/group/list-service/@uri`;
    const answer = await server.send('PUT', node, { type: attributeType, body: `"${taken.uri}"` });
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body).toContain('<exists field="group/list-service/@uri">');
    const [, free = ''] = /<alt-value>([^<]*)<\/alt-value>/.exec(answer.body) ?? [];
    expect(await server.send('PUT', node, { type: attributeType, body: `"${free}"` })).toMatchObject({ status: 200 });
    expect(await server.send('GET', `${groups}/global/byGroupID/${free}`)).toMatchObject({ status: 200 });
  });

  test('a member added by attribute is served at once under both addresses', async () => {
    const { list, path, uri: groupId } = await group();
    const member = 'sip:three@mcx.alpha.example';
    const node = `${list}/entry%5B@uri=%22${member}%22%5D`;
    expect(await server.send('PUT', node, { type: elementType, body: `<entry uri="${member}"/>` })).toMatchObject({
      status: 201,
    });
    const byId = await server.send('GET', `${groups}/global/byGroupID/${groupId}`, { as: member });
    expect(byId).toMatchObject({ status: 200 });
    expect(await textOf(server, path)).toContain(`<entry uri="${member}"/>`);
  });

  test('413: a document cannot grow beyond the limit by its elements', async () => {
    const { path, etag } = await stored(server, `<a><b/>${'x'.repeat(4 * 1024 * 1024 - 100)}</a>`);
    const answer = await server.send('PUT', `${path}/~~/a/b`, { type: elementType, body: `<b>${'y'.repeat(200)}</b>` });
    expect(answer).toMatchObject({ status: 413 });
    expect((await server.send('HEAD', path)).headers.etag).toBe(etag);
  });

  test('limits on depth hold for what an edit makes', async () => {
    const { path } = await stored(server, `${'<a>'.repeat(40)}${'</a>'.repeat(40)}`);
    const node = `${path}/~~/${Array.from({ length: 40 }, () => 'a').join('/')}/b`;
    const body = `${'<b>'.repeat(30)}${'</b>'.repeat(30)}`;
    const answer = await server.send('PUT', node, { type: elementType, body });
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body).toContain('<constraint-failure');
  });
});
