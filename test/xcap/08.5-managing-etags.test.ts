// RFC 4825 clause 8.5: managing ETags, also when many write one document at the same time. Readers never see half an edit.
import { describe, expect, test } from '@jest/globals';
import { groupDocument } from '../../src/documents/documents.testkit.ts';
import { attributeType, elementType, groups, groupType, own, stored, textOf, xcapServer } from './xcap-server.ts';

const server = xcapServer();

describe('RFC 4825 8.5: one tag for a document and everything in it', () => {
  test('every success says the tag of the document, whatever the node', async () => {
    const { path } = await stored(server, '<a><b/><c/></a>');
    const tag = async () => (await server.send('HEAD', path)).headers.etag;
    const put = await server.send('PUT', `${path}/~~/a/d`, { type: elementType, body: '<d/>' });
    expect(put).toMatchObject({ status: 201, headers: { etag: await tag() } });
    const attribute = await server.send('PUT', `${path}/~~/a/@x`, { type: attributeType, body: '"1"' });
    expect(attribute).toMatchObject({ status: 201, headers: { etag: await tag() } });
    const deleted = await server.send('DELETE', `${path}/~~/a/b`);
    expect(deleted).toMatchObject({ status: 200, headers: { etag: await tag() } });
    expect(new Set([put.headers.etag, attribute.headers.etag, deleted.headers.etag]).size).toBe(3);
  });
});

describe('many writers of one document', () => {
  const uri = 'sip:busy@mcx.alpha.example';
  const path = own(groups, 'busy.xml');
  const member = (number: number): string => `sip:member-${number}@mcx.alpha.example`;
  const entry = (number: number): string =>
    `${path}/~~/group/list-service/list/entry%5B@uri=%22${member(number)}%22%5D`;
  const body = (number: number): string => `<entry uri="${member(number)}"/>`;

  test('200 concurrent element PUTs all survive, and readers see only documents that some writer was answered for', async () => {
    const start = await server.send('PUT', path, {
      type: groupType,
      body: groupDocument({ uri, members: [member(-1)] }),
    });
    const seen = new Map<string, number>();
    let writing = true;
    const read = async (): Promise<void> => {
      while (writing) {
        const answer = await server.send('GET', path);
        expect(answer.status).toBe(200);
        expect(answer.body.endsWith('</group>')).toBe(true);
        seen.set(answer.headers.etag ?? '', answer.body.match(/<entry /g)?.length ?? 0);
      }
    };
    const readers = [read(), read(), read(), read()];
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, number) =>
        server.send('PUT', entry(number), { type: elementType, body: body(number) }),
      ),
    );
    writing = false;
    await Promise.all(readers);

    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    const text = (await textOf(server, path)) ?? '';
    for (let number = 0; number < 200; number++) expect(text).toContain(body(number));
    // every answer told the tag of another document, the last of them that of the one which stands
    const tags = new Set(answers.map(({ headers }) => headers.etag));
    expect(tags.size).toBe(200);
    expect(tags).toContain((await server.send('HEAD', path)).headers.etag);
    for (const tag of seen.keys()) expect(tags.has(tag) || tag === start.headers.etag).toBe(true);
    const counts = [...seen.values()];
    expect(counts).toEqual([...counts].sort((one, two) => one - two));
  });

  test('of writers that expect the same tag one wins, the others are 412, and nothing of theirs is stored', async () => {
    const { path: shared, etag } = await stored(server, '<a/>');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, number) =>
        server.send('PUT', `${shared}/~~/a/b%5B@n=%22${number}%22%5D`, {
          type: elementType,
          headers: { 'If-Match': etag },
          body: `<b n="${number}"/>`,
        }),
      ),
    );
    const won = answers.flatMap(({ status }, number) => (status === 201 ? [number] : []));
    expect(won).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(49);
    expect(await textOf(server, shared)).toBe(`<a><b n="${won[0]}"/></a>`);
  });

  test('PUTs and DELETEs of the same node: each is answered as if they had come one after the other', async () => {
    const { path: shared } = await stored(server, '<a/>');
    const node = `${shared}/~~/a/b`;
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, number) =>
        number % 2 === 0
          ? server.send('PUT', node, { type: elementType, body: `<b n="${number}"/>` })
          : server.send('DELETE', node),
      ),
    );
    const count = (method: number, status: number): number =>
      answers.filter((answer, number) => number % 2 === method && answer.status === status).length;
    expect(count(0, 201) + count(0, 200)).toBe(30);
    expect(count(1, 200) + count(1, 404)).toBe(30);
    const left = await textOf(server, shared);
    // created as often as deleted, once more when it is there at the end
    expect(count(0, 201) - count(1, 200)).toBe(left === '<a></a>' || left === '<a/>' ? 0 : 1);
  });

  test('an edit and a replacement of the whole document: the edit is in the new document, or gone with the old one', async () => {
    const { path: shared } = await stored(server, '<a><b/></a>');
    const [edit, whole] = await Promise.all([
      server.send('PUT', `${shared}/~~/a/@x`, { type: attributeType, body: '"1"' }),
      server.send('PUT', shared, { type: 'application/vnd.example.plain+xml', body: '<a><c/></a>' }),
    ]);
    expect([edit.status, whole.status]).toEqual([201, 200]);
    expect(['<a x="1"><c/></a>', '<a><c/></a>']).toContain(await textOf(server, shared));
  });
});
