// Dialogs of subscribers that do not behave as one expects: several of one Call-ID, moved targets, foreign tags, requests that come twice
// or overtake each other, answers that are late.
import { describe, expect, test } from '@jest/globals';
import { groupDocument } from '../documents/documents.testkit.ts';
import type { Principal } from '../identity/principal.ts';
import { changesOf, eventually, groups, resourceList } from './face.testkit.ts';
import { document, faceRoom, sel, withInterval } from './face-room.testkit.ts';

const at = faceRoom();
const joe = 'sip:joe@red.example';
const missing = sel.replace('alpha', 'missing');

describe('RFC 3261 12 and RFC 6665 4.5: dialogs', () => {
  test('two subscriptions of one Call-ID are two dialogs, each with its list and its numbers', async () => {
    const one = await at.open();
    const other = await at.open();
    other.callId = one.callId;
    const From = '<sip:subscriber@red.example>;tag=from2';
    expect((await one.subscribe([sel])).status).toBe(200);
    expect((await other.subscribe([missing], { From })).status).toBe(200);
    await one.notify();
    await other.notify();
    expect(one.toTag).not.toBe(other.toTag);
    expect(at.running.face.subscriptions()).toHaveLength(2);
    const tag = await at.put(document('one'));
    expect(changesOf(await one.notify())).toEqual([`${sel} - ${tag}`]);
    await other.barrier();
    expect(other.untaken).toBe(0);
    // One ends, the other goes on.
    expect((await one.subscribe(undefined, { Expires: '0' })).status).toBe(200);
    await one.notify();
    expect((await other.subscribe(undefined, { From })).status).toBe(200);
    await other.notify();
    expect(at.running.face.subscriptions()).toHaveLength(1);
  });

  test('RFC 6665 8.2.1: two subscriptions with ids, each NOTIFY with its own', async () => {
    for (const id of ['a', 'b']) {
      const subscriber = await at.open();
      await subscriber.subscribe([sel], { Event: `xcap-diff;id=${id}` });
      expect((await subscriber.notify()).header('Event')).toBe(`xcap-diff;id=${id}`);
      expect((await subscriber.subscribe(undefined, { Event: 'xcap-diff' })).status).toBe(403);
      expect((await subscriber.subscribe(undefined, { Event: `xcap-diff;id=${id}` })).status).toBe(200);
    }
  });

  test.each([
    ['another To tag', { To: '<sip:gms@red.example>;tag=other' }],
    ['another From tag', { From: '<sip:subscriber@red.example>;tag=other' }],
    ['another Call-ID', { 'Call-ID': 'other' }],
  ])('RFC 3261 12.2.2: %s is 481 and touches nothing', async (_, headers) => {
    const [subscriber] = await at.subscribed([sel]);
    const { toTag } = subscriber;
    const refused = await subscriber.subscribe([missing], { Expires: '0', ...headers });
    expect(refused.status).toBe(481);
    expect(at.running.face.subscriptions()).toMatchObject([{ resources: [sel] }]);
    expect(subscriber.toTag).toBe(toTag);
    const tag = await at.put(document('one'));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${tag}`]);
  });

  test('RFC 6665 3.1: a refresh moves the target, and a restart remembers where to', async () => {
    const [subscriber] = await at.subscribed([sel]);
    const moved = await at.open();
    const Contact = `<sip:moved@127.0.0.1:${moved.port}>`;
    expect((await subscriber.subscribe(undefined, { Contact })).status).toBe(200);
    expect((await moved.notify()).startLine).toBe(`NOTIFY sip:moved@127.0.0.1:${moved.port} SIP/2.0`);
    await moved.barrier();
    await at.restart({}, {}, () => at.put(document('one')));
    expect(changesOf(await moved.notify())).toHaveLength(1);
    expect(subscriber.untaken).toBe(0);
  });
});

describe('requests that come twice, late or out of order', () => {
  test('RFC 3261 17.2.2: a SUBSCRIBE sent three times is one subscription with one NOTIFY', async () => {
    const subscriber = await at.open();
    const answers = new Set<string>();
    for (let turn = 0; turn < 3; turn++) {
      subscriber.cseq = 0;
      answers.add((await subscriber.subscribe([sel])).raw);
    }
    expect(answers.size).toBe(1);
    await subscriber.notify();
    await subscriber.barrier();
    expect(subscriber.untaken).toBe(0);
    expect(at.running.face.subscriptions()).toHaveLength(1);
  });

  test('RFC 3261 12.2.2: a refresh with an older CSeq is 500 and changes nothing', async () => {
    const [subscriber] = await at.subscribed([sel]);
    subscriber.cseq = 10;
    expect((await subscriber.subscribe(undefined)).status).toBe(200);
    await subscriber.notify();
    subscriber.cseq = 4;
    expect((await subscriber.subscribe([missing])).status).toBe(500);
    expect(at.running.face.subscriptions()).toMatchObject([{ resources: [sel] }]);
  });

  test('of two refreshes the later list counts, though the token of the earlier one takes longer to be verified', async () => {
    const server: Principal = { role: 'server', identity: 'sip:mcptt@red.example' };
    let verified: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => {
      verified = resolve;
    });
    await at.restart({
      authenticate: async ({ accessToken }) => {
        if (accessToken === 'slow') await slow;
        return server;
      },
    });
    const [subscriber] = await at.subscribed([sel]);
    const info =
      '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token><mcpttString>slow</mcpttString></mcptt-access-token></mcptt-Params></mcpttinfo>';
    const parts = [
      `Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n\r\n${info}`,
      `Content-Type: application/resource-lists+xml\r\n\r\n${resourceList([missing])}`,
    ];
    const body = `${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\n`;
    const first = subscriber.subscribe(undefined, { 'Content-Type': 'multipart/mixed;boundary=b' }, body);
    const second = subscriber.subscribe([sel, missing]);
    // Both have reached the face before the first is let go on.
    await subscriber.barrier();
    verified();
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    expect(at.running.face.subscriptions()).toMatchObject([{ resources: [sel, missing] }]);
    await subscriber.notify();
  });

  test('RFC 5875 4.7: who answers late gets one NOTIFY at a time, others are not held up', async () => {
    const late = await at.open();
    const prompt = await at.open();
    await at.put(document('zero'));
    for (const subscriber of [late, prompt]) {
      await subscriber.subscribe([sel]);
      await subscriber.notify();
    }
    late.answer = '';
    for (const name of ['one', 'two', 'three']) {
      const tag = await at.put(document(name));
      expect(changesOf(await prompt.notify())[0]).toMatch(new RegExp(`${tag}$`));
    }
    const held = await late.notify();
    expect(late.untaken).toBe(0);
    late.answer = '200 OK';
    late.respond(held, '200 OK');
    const next = await late.notify();
    // What came in between is told as one change.
    expect(changesOf(next)[0]?.split(' ')[1]).toBe(changesOf(held)[0]?.split(' ')[2]);
    await late.barrier();
    expect(late.untaken).toBe(0);
  });

  test('RFC 6665 4.2.1: a refresh and a change during a NOTIFY become one NOTIFY with the whole state', async () => {
    await at.put(document('zero'));
    const [subscriber] = await at.subscribed([sel]);
    subscriber.answer = '';
    await at.put(document('one'));
    const held = await subscriber.notify();
    expect((await subscriber.subscribe(undefined)).status).toBe(200);
    const tag = await at.put(document('two'));
    subscriber.answer = '200 OK';
    subscriber.respond(held, '200 OK');
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${tag}`]);
    await subscriber.barrier();
    expect(subscriber.untaken).toBe(0);
  });
});

describe('TS 24.481 6.3.13.3: subscription proxy', () => {
  test('a client that names a group of a partner is served what is held here; the partner is never asked', async () => {
    const asked: string[] = [];
    const interconnect = {
      group: async (_principal: Principal, groupId: string): Promise<never> => {
        asked.push(groupId);
        throw new Error('the partner was asked');
      },
    };
    await at.restart({ ...withInterval(0), interconnect });
    const foreign = 'sip:tg1@blue.example';
    const entry = `${groups}/global/byGroupID/${foreign}`;
    const hold = (name: string): Promise<unknown> => {
      const source = groupDocument({ uri: foreign, name, members: [joe] });
      return at.room.documents.putForeign(
        {
          groupId: foreign,
          partner: 'blue',
          source,
          served: source,
          policy: 'none',
          policyVersion: 1,
          appliedRules: [],
          actor: 'sip:gms@blue.example',
        },
        {},
      );
    };
    const absent = entry.replace('tg1', 'tg2');
    const [subscriber, first] = await at.subscribed([entry, absent], joe);
    expect(changesOf(first)).toEqual([]);
    await hold('one');
    const created = await subscriber.notify();
    expect(changesOf(created)).toEqual([expect.stringMatching(new RegExp(`^${entry} - \\S{2,}$`))]);
    await hold('two');
    const changed = await subscriber.notify();
    expect(changesOf(changed)[0]?.split(' ')[1]).toBe(changesOf(created)[0]?.split(' ')[2]);
    await eventually(() => subscriber.untaken === 0);
    expect(asked).toEqual([]);
  });
});
