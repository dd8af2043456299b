import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { administrator, closeSchemas, groupDocument, homeKey } from '../documents/documents.testkit.ts';
import {
  changesOf,
  groups,
  openRoom,
  type Room,
  type RunningFace,
  runFace,
  Subscriber,
  xcapRoot,
} from './face.testkit.ts';

const alpha = 'sip:alpha@red.example';
const sel = `${groups}/global/byGroupID/${alpha}`;
const key = homeKey('alpha');
const document = (name: string, members = ['sip:joe@red.example']): Uint8Array =>
  groupDocument({ uri: alpha, name, members });

let room: Room;
let running: RunningFace;
const subscribers: Subscriber[] = [];

beforeEach(async () => {
  room = await openRoom();
  running = await runFace(room);
});

afterEach(async () => {
  for (const subscriber of subscribers.splice(0)) subscriber.close();
  await running.stop();
  await room.close();
  expect(running.logged.errors).toEqual([]);
});

afterAll(closeSchemas);

async function open(identity?: string): Promise<Subscriber> {
  const subscriber = await Subscriber.open(running.port, identity);
  subscribers.push(subscriber);
  return subscriber;
}

async function put(bytes: Uint8Array): Promise<string> {
  return (await room.documents.put(administrator, key, bytes, {})).tag;
}

describe('RFC 5875 4.7: life of a subscription', () => {
  test('SUBSCRIBE, change, refresh, deletion, unsubscription', async () => {
    const tag1 = await put(document('one'));
    const subscriber = await open();
    const accepted = await subscriber.subscribe([sel]);
    expect(accepted.startLine).toBe('SIP/2.0 200 OK');
    expect(accepted.header('Expires')).toBe('600');
    expect(accepted.header('Contact')).toBe(`<sip:gms@127.0.0.1:${running.port};gr>`);
    expect(accepted.header('Allow-Events')).toBe('xcap-diff');

    const first = await subscriber.notify();
    expect(first.startLine).toBe(`NOTIFY sip:subscriber@127.0.0.1:${subscriber.port} SIP/2.0`);
    expect(first.header('Event')).toBe('xcap-diff');
    expect(first.header('Subscription-State')).toMatch(/^active;expires=(600|599)$/);
    expect(first.header('Contact')).toBe(`<sip:gms@127.0.0.1:${running.port};gr>`);
    expect(first.header('Content-Type')).toBe('application/xcap-diff+xml');
    expect(first.header('Call-ID')).toBe(subscriber.callId);
    expect(first.header('From')).toBe(accepted.header('To'));
    expect(first.header('To')).toBe('<sip:subscriber@red.example>;tag=from1');
    expect(first.body).toContain(`xcap-root="${xcapRoot}"`);
    expect(changesOf(first)).toEqual([`${sel} - ${tag1}`]);

    const tag2 = await put(document('two'));
    const second = await subscriber.notify();
    expect(changesOf(second)).toEqual([`${sel} ${tag1} ${tag2}`]);
    expect(second.cseq).toBe(first.cseq + 1);

    expect((await subscriber.subscribe(undefined, { Expires: '3600' })).header('Expires')).toBe('3600');
    const third = await subscriber.notify();
    expect(changesOf(third)).toEqual([`${sel} - ${tag2}`]);
    expect(third.header('Subscription-State')).toMatch(/^active;expires=(3600|3599)$/);

    await room.documents.delete(administrator, key, {});
    const fourth = await subscriber.notify();
    expect(changesOf(fourth)).toEqual([`${sel} ${tag2} -`]);

    expect((await subscriber.subscribe(undefined, { Expires: '0' })).header('Expires')).toBe('0');
    const last = await subscriber.notify();
    expect(last.header('Subscription-State')).toBe('terminated;reason=timeout');
    expect(last.cseq).toBe(first.cseq + 4);
  });
});
