import { expect, test } from '@jest/globals';
import { parseEntry, type ResourceEntry } from './resource-entry.ts';
import { SubscriptionIndex } from './subscription-index.ts';

const root = 'http://gms.red.example/xcap-root/';
const entries = (...uris: string[]): ResourceEntry[] =>
  uris.map((uri) => parseEntry(uri, root)).filter((entry) => entry !== undefined);

test('a change finds its watchers and nobody else; spellings of one address are one', () => {
  const index = new SubscriptionIndex<string>();
  const byId = entries(
    'org.openmobilealliance.groups/global/byGroup/sip:a@red.example',
    'org.openmobilealliance.groups/global/byGroupID/sip:a@red.example',
  );
  index.add('one', byId);
  index.add('two', entries('org.openmobilealliance.groups/global/byGroupID/sip:b@red.example'));
  const found = [...index.watching('group sip:a@red.example')];
  expect(found.map(([watcher, entry]) => [watcher, entry.sel])).toEqual([['one', byId[0]?.sel]]);
  expect([...index.watching('group sip:c@red.example')]).toEqual([]);
});

test('nothing stays behind when watchers go', () => {
  const index = new SubscriptionIndex<string>();
  const watched = entries('xcap-caps/global/index', 'org.openmobilealliance.groups/', 'xcap-caps/global/index/~~/a');
  index.add('one', watched);
  expect(index.size).toBe(3);
  index.remove('one', watched);
  expect(index.size).toBe(0);
});
