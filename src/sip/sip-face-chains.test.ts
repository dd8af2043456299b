// The mode xcap-patching (RFC 5875 clauses 4.3 and 4.7): every change by itself, one after the other, in the subscriber's view.
import { describe, expect, test } from '@jest/globals';
import { administrator, groupDocument, homeKey } from '../documents/documents.testkit.ts';
import { entityTag } from '../documents/entity-tag.ts';
import type { Principal } from '../identity/principal.ts';
import { Refusal } from '../refusals.ts';
import { sameCanonicalForm } from '../xml/canonical.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { type ReceivedDocumentDiff, readXcapDiff } from '../xml/received-diff.ts';
import { applyPatch, readPatchOperations } from '../xml/xml-patch.ts';
import { changesOf, eventually, groups, type Received, type Subscriber } from './face.testkit.ts';
import { alpha, document, faceRoom, key, sel, withInterval } from './face-room.testkit.ts';
import type { PartnerGroups } from './visible-resources.ts';

const at = faceRoom();
const joe = 'sip:joe@red.example';
const mia = 'sip:mia@red.example';
const server: Principal = { role: 'server', identity: 'sip:mcptt@red.example' };

async function subscribed(entries: readonly string[] = [sel], identity?: string): Promise<Subscriber> {
  const subscriber = await at.open(identity);
  const Event = 'xcap-diff;diff-processing=xcap-patching';
  expect((await subscriber.subscribe(entries, { Event })).status).toBe(200);
  await subscriber.notify();
  return subscriber;
}

/** The group as a principal sees it now. */
async function viewed(principal: Principal = server): Promise<OffsetIndex> {
  const found = await at.room.documents.findGroup(alpha);
  if (found === undefined) throw new Error('there is no group');
  return at.room.documents.view(principal, found).index;
}

function documentsOf(notify: Received): { readonly carrier: OffsetIndex; readonly list: ReceivedDocumentDiff[] } {
  const carrier = OffsetIndex.of(Buffer.from(notify.body), defaultXmlLimits);
  return { carrier, list: readXcapDiff(carrier).components.filter((component) => component.kind === 'document') };
}

const contentsOf = (notify: Received): readonly string[] => documentsOf(notify).list.map(({ content }) => content);

/** Applies all patches in a NOTIFY, in its order. */
function patched(before: OffsetIndex, notify: Received): OffsetIndex {
  const { carrier, list } = documentsOf(notify);
  return list.reduce((index, { element }) => {
    const read = readPatchOperations(carrier, element);
    if ('failure' in read) throw new Error(JSON.stringify(read.failure));
    const outcome = applyPatch(index, read.operations);
    if ('failure' in outcome) throw new Error(JSON.stringify(outcome.failure));
    return OffsetIndex.of(outcome.patched, defaultXmlLimits);
  }, before);
}

/** Lets changes happen while a NOTIFY of one change is without answer; the NOTIFY that tells them together. */
async function coalesced(subscriber: Subscriber, change: () => Promise<unknown>): Promise<Received> {
  subscriber.answer = '';
  await at.put(document('held'));
  const held = await subscriber.notify();
  await change();
  subscriber.answer = '200 OK';
  subscriber.respond(held, '200 OK');
  return subscriber.notify();
}

describe('RFC 5875 4.3: the full history', () => {
  test('one change is one document element with a patch', async () => {
    const tag1 = await at.put(document('one'));
    const subscriber = await subscribed();
    const before = await viewed();
    const tag2 = await at.put(document('two'));
    const notify = await subscriber.notify();
    expect(changesOf(notify)).toEqual([`${sel} ${tag1} ${tag2}`]);
    expect(contentsOf(notify)).toEqual(['patch']);
    expect(sameCanonicalForm(patched(before, notify), await viewed())).toBe(true);
  });

  test('several changes in one NOTIFY: one document element for each, tags chained, in the order of the commits', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed();
    let tags: string[] = [];
    let before: OffsetIndex | undefined;
    const notify = await coalesced(subscriber, async () => {
      before = await viewed();
      tags = [
        await at.put(document('two')),
        await at.put(document('three', [joe, mia])),
        await at.put(document('four')),
      ];
    });
    const [first = ''] = changesOf(notify);
    const held = first.split(' ')[1];
    expect(changesOf(notify)).toEqual([
      `${sel} ${held} ${tags[0]}`,
      `${sel} ${tags[0]} ${tags[1]}`,
      `${sel} ${tags[1]} ${tags[2]}`,
    ]);
    expect(contentsOf(notify)).toEqual(['patch', 'patch', 'patch']);
    if (before === undefined) throw new Error('no version before');
    expect(sameCanonicalForm(patched(before, notify), await viewed())).toBe(true);
  });

  test('of twenty quick changes of a small document none is left out, whatever fetching it would cost', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed();
    const tags: string[] = [];
    let before: OffsetIndex | undefined;
    const notify = await coalesced(subscriber, async () => {
      before = await viewed();
      for (let turn = 0; turn < 20; turn++)
        tags.push(await at.put(document(`${turn}`, turn % 2 === 0 ? [joe] : [mia])));
    });
    expect(changesOf(notify).map((change) => change.split(' ')[2])).toEqual(tags);
    expect(contentsOf(notify)).toEqual(tags.map(() => 'patch'));
    if (before === undefined) throw new Error('no version before');
    expect(sameCanonicalForm(patched(before, notify), await viewed())).toBe(true);
  });

  test('a change and its reversal are both told', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed();
    let other = '';
    const notify = await coalesced(subscriber, async () => {
      other = await at.put(document('other'));
      await at.put(document('held'));
    });
    const [first = '', second = ''] = changesOf(notify);
    const held = first.split(' ')[1];
    expect([first, second]).toEqual([`${sel} ${held} ${other}`, `${sel} ${other} ${held}`]);
    // The state is what it was before: the next change goes on from there.
    const next = await at.put(document('next'));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${held} ${next}`]);
  });

  test('RFC 5874 3: removed and created anew in between: previous-etag alone, then new-etag alone', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed();
    let [created, changed] = ['', ''];
    const notify = await coalesced(subscriber, async () => {
      await at.room.documents.delete(administrator, key, {});
      created = await at.put(document('again'));
      changed = await at.put(document('again and again'));
    });
    const [first = ''] = changesOf(notify);
    expect(changesOf(notify)).toEqual([
      `${sel} ${first.split(' ')[1]} -`,
      `${sel} - ${created}`,
      `${sel} ${created} ${changed}`,
    ]);
    expect(contentsOf(notify)).toEqual(['none', 'none', 'patch']);
  });

  test('a document created and changed before it was told: its creation, then its patches', async () => {
    await at.put(document('one'));
    const collection = `${groups}/global/byGroupID/`;
    const subscriber = await subscribed([collection]);
    const beta = homeKey('beta');
    const put = async (name: string): Promise<string> =>
      (await at.room.documents.put(administrator, beta, groupDocument({ uri: 'sip:beta@red.example', name }), {})).tag;
    let tags: string[] = [];
    const notify = await coalesced(subscriber, async () => {
      tags = [await put('b1'), await put('b2')];
    });
    const name = `${collection}sip:beta@red.example`;
    expect(changesOf(notify)).toEqual([`${name} - ${tags[0]}`, `${name} ${tags[0]} ${tags[1]}`]);
    expect(contentsOf(notify)).toEqual(['none', 'patch']);
  });

  test('RFC 5875 4.7: changes of several documents stand in the order in which they happened', async () => {
    await at.put(document('one'));
    const collection = `${groups}/global/byGroupID/`;
    const beta = homeKey('beta');
    const put = async (name: string): Promise<unknown> =>
      at.room.documents.put(administrator, beta, groupDocument({ uri: 'sip:beta@red.example', name }), {});
    await put('b0');
    const subscriber = await subscribed([collection]);
    const notify = await coalesced(subscriber, async () => {
      await at.put(document('a1'));
      await put('b1');
      await at.put(document('a2'));
      await put('b2');
    });
    const names = changesOf(notify).map((change) => change.slice(collection.length).split('@')[0]);
    expect(names).toEqual(['sip:alpha', 'sip:beta', 'sip:alpha', 'sip:beta']);
  });

  test('what a NOTIFY could not deliver is told again from the change that it began with', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed();
    subscriber.answer = '503 Busy\r\nRetry-After: 1';
    const tag2 = await at.put(document('two'));
    const refused = await subscriber.notify();
    subscriber.answer = '200 OK';
    const tag3 = await at.put(document('three'));
    const again = await subscriber.notify();
    const [first = ''] = changesOf(refused);
    expect(changesOf(again)).toEqual([first, `${sel} ${tag2} ${tag3}`]);
    expect(contentsOf(again)).toEqual(['patch', 'patch']);
  });
});

describe("RFC 5875 7: the history is that of the subscriber's view", () => {
  test('a client without the member list: changes of members alone are none, the tags are those of its view', async () => {
    await at.restart(withInterval(0));
    const client: Principal = { role: 'client', identities: [joe] };
    await at.put(document('one', [joe]));
    const subscriber = await subscribed([sel], joe);
    subscriber.answer = '';
    await at.put(document('held', [joe]));
    const held = await subscriber.notify();
    const before = await viewed(client);
    await at.put(document('held', [joe, mia]));
    await at.put(document('two', [joe, mia]));
    await at.put(document('two', [joe]));
    await at.put(document('three', [joe]));
    subscriber.answer = '200 OK';
    subscriber.respond(held, '200 OK');
    const notify = await subscriber.notify();
    expect(changesOf(notify)).toHaveLength(2);
    expect(contentsOf(notify)).toEqual(['patch', 'patch']);
    expect(notify.body).not.toContain('mia');
    expect(sameCanonicalForm(patched(before, notify), await viewed(client))).toBe(true);
  });

  test('a client that could not read it for a while: gone, then there again', async () => {
    await at.restart(withInterval(0));
    await at.put(document('one', [joe]));
    const subscriber = await subscribed([sel], joe);
    subscriber.answer = '';
    await at.put(document('held', [joe]));
    const held = await subscriber.notify();
    await at.put(document('without', [mia]));
    await at.put(document('with', [joe]));
    subscriber.answer = '200 OK';
    subscriber.respond(held, '200 OK');
    expect(changesOf(await subscriber.notify())).toEqual([
      expect.stringMatching(/ \S{2,} -$/),
      expect.stringMatching(/ - \S{2,}$/),
    ]);
  });
});

describe('partner systems', () => {
  const partner = { role: 'partner', partner: 'blue', identity: 'sip:gms@blue.example' } as const;
  let covered = true;

  /** The outbound policy takes out what only we call the group. */
  const seenByPartner = (bytes: Uint8Array): Buffer => Buffer.from(bytes.toString().replace(/secret \w+/, 'shown'));
  const facing: PartnerGroups = {
    groupsForPartner: async () => [alpha],
    groupForPartner: async (_from, groupId, version) => {
      if (!covered) throw new Refusal('not-found', { cause: 'agreement-does-not-cover' });
      const found = version ?? (await at.room.documents.findGroup(groupId));
      if (found === undefined) throw new Refusal('group-not-homed-here');
      const bytes = seenByPartner(Buffer.from(found.bytes));
      return { groupId, bytes, tag: entityTag(bytes), modified: found.modified };
    },
  };

  async function partnerSubscribed(): Promise<Subscriber> {
    covered = true;
    await at.restart({
      partners: { facing, xcapRoot: 'https://gms.red.example/xcap-root' },
      authenticate: async () => partner,
    });
    return subscribed();
  }

  test('a partner is told the history of its own view: what its policy hides is no change, and in no patch', async () => {
    await at.put(document('secret one'));
    const subscriber = await partnerSubscribed();
    subscriber.answer = '';
    const tag = (bytes: Uint8Array): string => entityTag(seenByPartner(bytes));
    const versions = [
      document('held'),
      document('secret two', [mia]),
      document('secret three', [mia]),
      document('four', [mia]),
    ] as const;
    await at.put(versions[0]);
    const held = await subscriber.notify();
    for (const version of versions.slice(1)) await at.put(version);
    subscriber.answer = '200 OK';
    subscriber.respond(held, '200 OK');
    const notify = await subscriber.notify();
    expect(changesOf(notify)).toEqual([
      `${sel} ${tag(versions[0])} ${tag(versions[1])}`,
      `${sel} ${tag(versions[1])} ${tag(versions[3])}`,
    ]);
    expect(contentsOf(notify)).toEqual(['patch', 'patch']);
    expect(notify.body).not.toContain('secret');
    const before = OffsetIndex.of(seenByPartner(versions[0]), defaultXmlLimits);
    const after = OffsetIndex.of(seenByPartner(versions[3]), defaultXmlLimits);
    expect(sameCanonicalForm(patched(before, notify), after)).toBe(true);
  });

  test('RFC 6665 4.1.3: an agreement that covers it no more ends the subscription rejected; a deleted group does not', async () => {
    await at.put(document('one'));
    const subscriber = await partnerSubscribed();
    await at.room.documents.delete(administrator, key, {});
    expect((await subscriber.notify()).header('Subscription-State')).toMatch(/^active/);
    await at.put(document('two'));
    await subscriber.notify();
    covered = false;
    at.running.face.recheck();
    const last = await subscriber.notify();
    expect(changesOf(last)).toEqual([expect.stringMatching(/ -$/)]);
    expect(last.header('Subscription-State')).toBe('terminated;reason=rejected');
  });
});

describe('RFC 5875 4.7: temporarily without patches', () => {
  test('a chain that does not fit the frame: the tags alone', async () => {
    await at.restart({}, { largestFrame: 2_800 });
    await at.put(document('one'));
    const subscriber = await subscribed();
    const notify = await coalesced(subscriber, async () => {
      for (const name of ['two', 'three', 'four', 'five']) await at.put(document(name));
    });
    expect(contentsOf(notify)).toEqual(['none']);
    await at.put(document('next'));
    expect(contentsOf(await subscriber.notify())).toEqual(['patch']);
  });

  test('after a restart, what happened meanwhile is told by tags; from then on by patches', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed();
    await subscriber.barrier();
    await at.restart({}, {}, async () => {
      await at.put(document('two'));
      await at.put(document('three'));
    });
    expect(contentsOf(await subscriber.notify())).toEqual(['none']);
    await at.put(document('four'));
    expect(contentsOf(await subscriber.notify())).toEqual(['patch']);
    await eventually(() => subscriber.untaken === 0);
  });

  test('RFC 5875 4.7: the answer to xcap-patching is never an aggregated patch', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed();
    const notify = await coalesced(subscriber, async () => {
      await at.put(document('two'));
      // Rights are looked at anew: from when on is not known any more, so the history is not either.
      at.running.face.recheck();
      await at.put(document('three'));
    });
    for (const content of contentsOf(notify)) expect(['none', 'patch']).toContain(content);
    expect(changesOf(notify).length === 1 ? contentsOf(notify) : ['none']).toEqual(['none']);
  });
});
