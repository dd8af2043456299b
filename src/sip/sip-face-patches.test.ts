// Changes of documents shown as patches (RFC 5875 clauses 4.3 and 4.7, RFC 5261): what a subscriber patches together is what it would fetch.
import { describe, expect, test } from '@jest/globals';
import type { Principal } from '../identity/principal.ts';
import { sameCanonicalForm } from '../xml/canonical.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { readXcapDiff } from '../xml/received-diff.ts';
import { applyPatch, readPatchOperations } from '../xml/xml-patch.ts';
import { changesOf, type Received, type Subscriber } from './face.testkit.ts';
import { alpha, document, faceRoom, sel, withInterval } from './face-room.testkit.ts';

const at = faceRoom();
const server: Principal = { role: 'server', identity: 'sip:mcptt@red.example' };
const joe = 'sip:joe@red.example';

async function subscribed(mode: string, identity?: string): Promise<Subscriber> {
  const subscriber = await at.open(identity);
  expect((await subscriber.subscribe([sel], { Event: `xcap-diff;diff-processing=${mode}` })).status).toBe(200);
  const first = await subscriber.notify();
  expect(contentOf(first)).toBe('none');
  return subscriber;
}

/** The group as a principal sees it. */
async function viewed(principal: Principal): Promise<OffsetIndex> {
  const found = await at.room.documents.findGroup(alpha);
  if (found === undefined) throw new Error('there is no group');
  return at.room.documents.view(principal, found).index;
}

function contentOf(notify: Received): string {
  const [component] = readXcapDiff(OffsetIndex.of(Buffer.from(notify.body), defaultXmlLimits)).components;
  return component?.kind === 'document' ? component.content : 'no document';
}

/** Applies the patch in a NOTIFY. */
function patched(before: OffsetIndex, notify: Received): OffsetIndex {
  const carrier = OffsetIndex.of(Buffer.from(notify.body), defaultXmlLimits);
  const [component] = readXcapDiff(carrier).components;
  if (component === undefined) throw new Error('nothing was told');
  const read = readPatchOperations(carrier, component.element);
  if ('failure' in read) throw new Error(JSON.stringify(read.failure));
  const outcome = applyPatch(before, read.operations);
  if ('failure' in outcome) throw new Error(JSON.stringify(outcome.failure));
  return OffsetIndex.of(outcome.patched, defaultXmlLimits);
}

describe('RFC 5875 4.7: aggregate', () => {
  test('several changes are one patch, chained by tags', async () => {
    const tag1 = await at.put(document('one'));
    const subscriber = await subscribed('aggregate');
    const before = await viewed(server);
    subscriber.answer = '';
    const tag2 = await at.put(document('two', [joe, 'sip:mia@red.example']));
    const second = await subscriber.notify();
    expect(contentOf(second)).toBe('patch');
    expect(changesOf(second)).toEqual([`${sel} ${tag1} ${tag2}`]);
    const between = await viewed(server);
    expect(sameCanonicalForm(patched(before, second), between)).toBe(true);
    // While that one waits for its answer two more changes become one.
    await at.put(document('three', [joe]));
    const tag4 = await at.put(document('four', ['sip:mia@red.example']));
    subscriber.answer = '200 OK';
    subscriber.respond(second, '200 OK');
    const third = await subscriber.notify();
    expect(changesOf(third)).toEqual([`${sel} ${tag2} ${tag4}`]);
    expect(sameCanonicalForm(patched(between, third), await viewed(server))).toBe(true);
  });

  test('RFC 5875 7: a patch is one of the view of the subscriber and shows nothing else', async () => {
    await at.restart(withInterval(0));
    await at.put(document('one', [joe]));
    const client: Principal = { role: 'client', identities: [joe] };
    const subscriber = await subscribed('aggregate', joe);
    const before = await viewed(client);
    await at.put(document('two', [joe, 'sip:mia@red.example']));
    const notify = await subscriber.notify();
    expect(contentOf(notify)).toBe('patch');
    expect(notify.body).not.toContain('mia');
    expect(sameCanonicalForm(patched(before, notify), await viewed(client))).toBe(true);
  });

  test('RFC 5874 3: other bytes with the same content are body-not-changed', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed('aggregate');
    await at.put(
      Buffer.from(
        document('one')
          .toString()
          .replace(/<list-service uri="([^"]*)"/, "<list-service uri='$1'"),
      ),
    );
    expect(contentOf(await subscriber.notify())).toBe('body-not-changed');
  });

  test('after a restart, when the old version is not known, the tags alone; from then on patches again', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed('aggregate');
    await subscriber.barrier();
    await at.restart({}, {}, () => at.put(document('two')));
    expect(contentOf(await subscriber.notify())).toBe('none');
    await at.put(document('three'));
    expect(contentOf(await subscriber.notify())).toBe('patch');
  });

  test('RFC 5875 4.7: a patch that does not fit the frame is left out, the next that does is shown', async () => {
    await at.restart({}, { largestFrame: 2_600 });
    await at.put(document('one'));
    const subscriber = await subscribed('aggregate');
    await at.put(document('x'.repeat(500)));
    expect(contentOf(await subscriber.notify())).toBe('none');
    await at.put(document('two'));
    expect(contentOf(await subscriber.notify())).toBe('patch');
  });
});

describe('RFC 5875 4.3: other modes', () => {
  test.each(['no-patching', 'something-new'])('%s is told by tags', async (mode) => {
    await at.put(document('one'));
    const subscriber = await subscribed(mode);
    await at.put(document('two'));
    expect(contentOf(await subscriber.notify())).toBe('none');
  });

  test('a refresh changes the mode of what follows', async () => {
    await at.put(document('one'));
    const subscriber = await subscribed('no-patching');
    await subscriber.subscribe(undefined, { Event: 'xcap-diff;diff-processing=aggregate' });
    expect(contentOf(await subscriber.notify())).toBe('none');
    await at.put(document('two'));
    expect(contentOf(await subscriber.notify())).toBe('patch');
  });
});
