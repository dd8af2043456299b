// What a subscriber sends in one go, an answer and a request right behind it, is acted on in that order.
import { expect, test } from '@jest/globals';
import { document, faceRoom, sel } from './face-room.testkit.ts';

const at = faceRoom();
// Whether both arrive in the same octets is chance
const rounds = Array.from({ length: 10 }, (_, round) => round);

test.each(rounds)(
  'RFC 5839 6.3: a refresh right behind the 200 to the NOTIFY whose tag it carries is 204 (round %i)',
  async () => {
    await at.put(document('one'));
    const subscriber = await at.open();
    subscriber.answer = '';
    expect((await subscriber.subscribe([sel])).status).toBe(200);
    const notify = await subscriber.notify();
    subscriber.respond(notify, '200 OK');
    const refreshed = await subscriber.subscribe(undefined, { 'Suppress-If-Match': notify.header('SIP-ETag') });
    expect(refreshed.status).toBe(204);
  },
);

test.each(rounds)(
  'RFC 6665 4.2.2: a refresh right behind the 481 to a NOTIFY finds no subscription (round %i)',
  async () => {
    await at.put(document('one'));
    const subscriber = await at.open();
    subscriber.answer = '';
    expect((await subscriber.subscribe([sel])).status).toBe(200);
    subscriber.respond(await subscriber.notify(), '481 Subscription Does Not Exist');
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
  },
);
