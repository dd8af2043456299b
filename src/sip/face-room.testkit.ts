// What the tests of the SIP face share: a fresh room and face for each test, subscribers that are closed after it, and one group.
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  administrator,
  closeSchemas,
  groupDocument,
  homeKey,
  openRoom,
  type Room,
} from '../documents/documents.testkit.ts';
import { engineUnderTest } from './engine-under-test.testkit.ts';
import { groups, type Received, type RunningFace, runFace, Subscriber } from './face.testkit.ts';
import type { SipFaceOptions } from './sip-face.ts';

export const alpha = 'sip:alpha@red.example';
/** The group by its ID. */
export const sel = `${groups}/global/byGroupID/${alpha}`;
export const key = homeKey('alpha');

/** The group's document. */
export function document(name: string, members: readonly string[] = ['sip:joe@red.example']): Uint8Array {
  return groupDocument({ uri: alpha, name, members });
}

/** Settings in which clients wait this many seconds between two NOTIFYs. */
export function withInterval(clients: number, minimumExpires = 60): Partial<SipFaceOptions> {
  const minimumNotifyInterval = { servers: 0, partners: 0, clients };
  return { settings: { minimumExpires, maximumExpires: 86_400, minimumNotifyInterval } };
}

/** How a face is started, beside its options. */
export type Start = Parameters<typeof runFace>[2];

/** The room and face of the test that runs. */
export interface FaceRoom {
  readonly room: Room;
  readonly running: RunningFace;
  /** A subscriber with this identity, by default an own MC service server. */
  open(identity?: string): Promise<Subscriber>;
  /** A subscriber whose first NOTIFY has come. */
  subscribed(entries: readonly string[], identity?: string): Promise<[Subscriber, Received]>;
  /** Stores the group's document and answers its tag. */
  put(bytes: Uint8Array): Promise<string>;
  /** Stops without a word to anybody, lets `meanwhile` happen, starts again on the same port. */
  restart(more?: Partial<SipFaceOptions>, at?: Start, meanwhile?: () => Promise<unknown>): Promise<void>;
}

/**
 * A test of what needs the embedded engine, because it is started anew with dialogs, timers or codings of its own; skipped when the
 * environment names an engine that runs elsewhere.
 */
export const testOnOwnEngine = engineUnderTest() === undefined ? test : test.skip;

/** Opens a room and a face before each test of the file and closes them after it. */
export function faceRoom(): FaceRoom {
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

  const made: FaceRoom = {
    get room() {
      return room;
    },
    get running() {
      return running;
    },
    async open(identity) {
      const subscriber = await Subscriber.open(running.port, identity);
      subscribers.push(subscriber);
      return subscriber;
    },
    async subscribed(entries, identity) {
      const subscriber = await made.open(identity);
      expect((await subscriber.subscribe(entries)).status).toBe(200);
      return [subscriber, await subscriber.notify()];
    },
    async put(bytes) {
      return (await room.documents.put(administrator, key, bytes, {})).tag;
    },
    async restart(more = {}, at = {}, meanwhile = () => Promise.resolve()) {
      const { port } = running;
      await running.stop();
      await meanwhile();
      running = await runFace(room, more, { port, ...at });
    },
  };
  return made;
}
