// Subscriptions to elements and attributes of documents (RFC 5875 clauses 4.1 and 4.7), over the wire.
import { describe, expect, test } from '@jest/globals';
import { administrator } from '../documents/documents.testkit.ts';
import { changesOf, componentsOf, groups } from './face.testkit.ts';
import { document, faceRoom, key, sel, testOnOwnEngine, withInterval } from './face-room.testkit.ts';

const at = faceRoom();

const displayName = `${sel}/~~/group/list-service/display-name`;
const joe = `${sel}/~~/group/list-service/list/entry%5B@uri=%22sip:joe@red.example%22%5D`;
const joesUri = `${joe}/@uri`;

describe('RFC 5875 4.7: a component is told when it appears, changes and goes', () => {
  test('an element, with its content, borrowing the namespaces it needs', async () => {
    const [subscriber, first] = await at.subscribed([displayName]);
    expect(componentsOf(first)).toEqual([]);
    await at.put(document('one'));
    const appeared = await subscriber.notify();
    expect(componentsOf(appeared)).toEqual([[displayName, expect.stringMatching(/^<display-name.*>one</)]]);
    expect(appeared.body).toContain('xmlns="urn:oma:xml:poc:list-service"');
    expect(changesOf(appeared)).toEqual([]);
    await at.put(document('two'));
    expect(componentsOf(await subscriber.notify())).toEqual([[displayName, expect.stringContaining('>two<')]]);
    await at.room.documents.delete(administrator, key, {});
    expect(componentsOf(await subscriber.notify())).toEqual([[displayName, 'gone']]);
  });

  test('an attribute by its value, beside the element and the document, in one subscription', async () => {
    await at.put(document('one', ['sip:joe@red.example']));
    const [subscriber, first] = await at.subscribed([joesUri, joe, sel]);
    expect(componentsOf(first)).toEqual([
      [joesUri, 'sip:joe@red.example'],
      [joe, expect.stringContaining('uri="sip:joe@red.example"')],
    ]);
    expect(changesOf(first)).toHaveLength(1);
    await at.put(document('one', ['sip:mia@red.example']));
    const second = await subscriber.notify();
    expect([...componentsOf(second)].sort()).toEqual([
      [joe, 'gone'],
      [joesUri, 'gone'],
    ]);
    expect(changesOf(second)).toHaveLength(1);
  });

  test('a change elsewhere in the document is none', async () => {
    await at.put(document('one'));
    const [subscriber] = await at.subscribed([joesUri]);
    await at.put(document('two'));
    await subscriber.barrier();
    expect(subscriber.untaken).toBe(0);
  });

  testOnOwnEngine('what was told is known after a restart', async () => {
    await at.put(document('one'));
    const [subscriber] = await at.subscribed([displayName, joesUri]);
    await subscriber.barrier();
    await at.restart({}, {}, () => at.put(document('two')));
    expect(componentsOf(await subscriber.notify())).toEqual([[displayName, expect.stringContaining('>two<')]]);
  });
});

describe('RFC 5875 7: a component shows the view of the subscriber', () => {
  test('TS 24.481 7.2.12.1: without the right to the member list no entry of it is shown', async () => {
    await at.restart(withInterval(0));
    await at.put(document('one', ['sip:joe@red.example']));
    const [subscriber, first] = await at.subscribed([joe, displayName], 'sip:joe@red.example');
    expect(componentsOf(first)).toEqual([[displayName, expect.stringContaining('>one<')]]);
    await at.put(document('two', ['sip:joe@red.example']));
    expect(componentsOf(await subscriber.notify())).toEqual([[displayName, expect.stringContaining('>two<')]]);
  });

  test('a document that may not be read has no components', async () => {
    await at.put(document('one', ['sip:joe@red.example']));
    const [, first] = await at.subscribed([displayName], 'sip:eve@red.example');
    expect(componentsOf(first)).toEqual([]);
  });
});

describe('selectors', () => {
  test.each([
    ['RFC 5875 4.1: namespace nodes', `${sel}/~~/group/namespace::*`],
    ['RFC 4825 6.4: a prefix that the query does not bind', `${sel}/~~/g:group`],
    ['RFC 4825 6.3: no node selector at all', `${sel}/~~/group/text()`],
    ['RFC 4825 6.4: a query that is no XPointer expression binds nothing', `${sel}/~~/g:group?)`],
  ])('%s cannot be subscribed to', async (_rule, uri) => {
    const subscriber = await at.open();
    expect((await subscriber.subscribe([uri])).status).toBe(403);
  });

  test('RFC 4825 6.4: prefixes are bound by the query', async () => {
    await at.put(document('one'));
    const uri = `${groups}/global/byGroup/sip%3Aalpha%40red.example/~~/a:group/a:list-service/@uri?xmlns(a=urn:oma:xml:poc:list-service)`;
    const [, first] = await at.subscribed([uri]);
    expect(componentsOf(first)).toEqual([[uri, 'sip:alpha@red.example']]);
  });
});
