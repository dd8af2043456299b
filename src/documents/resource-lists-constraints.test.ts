import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { checkResourceLists } from './resource-lists-constraints.ts';

function outcome(content: string): string | undefined {
  const text = `<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:x="urn:x">${content}</resource-lists>`;
  try {
    checkResourceLists(OffsetIndex.of(Buffer.from(text)));
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `${error.code} ${error.detail.exists?.[0]?.field ?? error.phrase}`;
  }
}

describe('RFC 4826 3.4.5: constraints of resource-lists', () => {
  test('the name of a list is unique among its siblings, not beyond', () => {
    expect(outcome('<list name="a"/><list name="b"><list name="a"/></list><list/><list/>')).toBeUndefined();
    expect(outcome('<list name="a"/><list name="b"/><list name="a"/>')).toBe(
      'uniqueness-failure resource-lists/list%5B3%5D/@name',
    );
    expect(outcome('<list name="a"><list name="b"/><list name="b"/></list>')).toBe(
      'uniqueness-failure resource-lists/list/list%5B2%5D/@name',
    );
  });

  test('the URI of an entry is unique in its list, compared as text', () => {
    expect(
      outcome('<list><entry uri="sip:a@x"/><entry uri="SIP:a@x"/></list><list><entry uri="sip:a@x"/></list>'),
    ).toBeUndefined();
    expect(outcome('<list><entry uri="sip:a@x"/><entry uri="sip:b@x"/><entry uri="sip:&#97;@x"/></list>')).toBe(
      'uniqueness-failure resource-lists/list/entry%5B3%5D/@uri',
    );
  });

  test('the ref of an entry-ref is a relative path and unique', () => {
    expect(outcome('<list><entry-ref ref="resource-lists/users/sip:a@x/index/~~/a"/></list>')).toBeUndefined();
    for (const ref of ['/absolute', 'http://x/y', 'sip:a@x', '']) {
      expect(outcome(`<list><entry-ref ref="${ref}"/></list>`)).toBe(
        'constraint-failure resource-lists/list/entry-ref/@ref must be a relative path reference',
      );
    }
    expect(outcome('<list><entry-ref ref="a/b"/><entry-ref ref="a/b"/></list>')).toMatch('uniqueness-failure');
  });

  test('the anchor of an external list is an absolute HTTP URI and unique', () => {
    expect(outcome('<list><external anchor="https://x.example/a"/><external/></list>')).toBeUndefined();
    for (const anchor of ['a/b', 'http:', 'http:///a', 'sip:a@x', 'http://x:99999/']) {
      expect(outcome(`<list><external anchor="${anchor}"/></list>`)).toMatch('must be an absolute HTTP URI');
    }
    expect(outcome('<list><external anchor="http://x/"/><external anchor="http://x/"/></list>')).toMatch(
      'uniqueness-failure',
    );
  });

  test('elements of other namespaces do not count', () => {
    expect(outcome('<list><entry uri="sip:a@x"/><x:entry uri="sip:a@x"/></list>')).toBeUndefined();
  });

  test('deep nesting and many siblings are judged in linear time', () => {
    const deep = '<list name="a">'.repeat(60) + '</list>'.repeat(60);
    const wide = Array.from({ length: 20_000 }, (_, n) => `<entry uri="sip:u${n}@x"/>`).join('');
    const start = performance.now();
    expect(outcome(deep)).toBeUndefined();
    expect(outcome(`<list>${wide}</list>`)).toBeUndefined();
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});
