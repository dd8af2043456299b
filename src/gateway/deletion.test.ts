// What a running primary sends to a partner when a group is deleted, over real TLS: the partner's tag guards it, and it is never lost.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../test/until.ts';
import { groupDocument } from '../documents/documents.testkit.ts';
import type { DeliveryRecord } from '../store/store.ts';
import { redConfiguration, runGateway, type TestGateway, token } from './gateway.testkit.ts';
import { answer, type PartnerScript, type WirePartner, wirePartner } from './wire-partner.testkit.ts';

const manager = { authorization: `Bearer ${token}` };
const type = 'application/vnd.oma.poc.groups+xml';

let red: TestGateway;
let blue: WirePartner;
let groupId: string;
let number = 0;

beforeAll(async () => {
  blue = await wirePartner('blue', (_asked, socket) => answer(socket, 500));
  const base = redConfiguration(blue.root);
  red = await runGateway({
    ...base,
    interconnect: { ...(base.interconnect as object), timeout: 1, brake: { share: 1, atLeast: 100 } },
  });
});
afterAll(async () => {
  await red?.close();
  await blue?.close();
});
beforeEach(() => {
  number += 1;
  groupId = `sip:harbour-${number}@red.example`;
  blue.asked.length = 0;
});

async function manage(method: 'GET' | 'PUT' | 'DELETE', path: string, body?: Uint8Array): Promise<unknown> {
  const given = await request(`${red.urls.manage}/api/v1/${path}`, {
    method,
    headers: { ...manager, ...(body === undefined ? {} : { 'content-type': type }) },
    body: body ?? null,
  });
  const text = await given.body.text();
  expect(given.statusCode).toBeLessThan(300);
  return text === '' ? undefined : JSON.parse(text);
}

async function settled(action: string): Promise<DeliveryRecord | undefined> {
  const find = async (): Promise<DeliveryRecord | undefined> => {
    const { deliveries } = (await manage('GET', 'deliveries')) as { deliveries: readonly DeliveryRecord[] };
    return deliveries.find((one) => one.groupId === groupId);
  };
  const isSettled = (one: DeliveryRecord | undefined): boolean =>
    one?.action === action && (one.state === 'delivered' || one.state === 'parked');
  return until(find, isSettled, `the ${action}`);
}

/** Writes the group, lets the partner take it, and deletes it; resolves with what became of the deletion. */
async function provideAndDelete(provided: Record<string, string>, then: PartnerScript): Promise<DeliveryRecord> {
  blue.script = (_asked, socket) => answer(socket, 201, provided);
  const path = `groups/${encodeURIComponent(groupId)}`;
  await manage('PUT', path, groupDocument({ uri: groupId, members: ['sip:omar@blue.example'] }));
  await settled('provide');
  blue.script = then;
  await manage('DELETE', path);
  const delivery = await settled('withdraw');
  if (delivery === undefined) throw new Error('no delivery');
  return delivery;
}

const conditions = (): readonly (string | undefined)[] => blue.with('DELETE').map(({ headers }) => headers['if-match']);

describe('RFC 9110 13.1.1: a deletion names the tag that the partner gave', () => {
  test('as it was given with the last provision', async () => {
    const delivery = await provideAndDelete({ ETag: '"b-1"' }, (_asked, socket) => answer(socket, 200));
    expect(delivery).toMatchObject({ state: 'delivered', outcome: 'withdrawn' });
    expect(conditions()).toEqual(['"b-1"']);
    expect(Date.parse(blue.with('DELETE')[0]?.headers.date ?? '')).not.toBeNaN();
  });

  test.each([
    ['no tag', {}],
    ['a weak tag', { ETag: 'W/"b-1"' }],
    ['no tag that can be read', { ETag: 'b-1' }],
    ['an empty tag', { ETag: '""' }],
  ])('a partner that gave %s gets none', async (_what, provided) => {
    const delivery = await provideAndDelete(provided as Record<string, string>, (_asked, socket) =>
      answer(socket, 204),
    );
    expect(delivery).toMatchObject({ state: 'delivered', outcome: 'withdrawn' });
    expect(conditions()).toEqual([undefined]);
    expect(blue.with('HEAD')).toEqual([]);
  });
});

describe('RFC 9110 15.5.13: 412 to a deletion', () => {
  test('TS 23.280 10.2.7.1: what somebody else changed at the partner goes too, by the tag of what is there now', async () => {
    const delivery = await provideAndDelete({ ETag: '"b-1"' }, ({ method, headers }, socket) => {
      if (method === 'HEAD') answer(socket, 200, { ETag: '"local-edit"', 'Content-Type': type });
      else answer(socket, headers['if-match'] === '"local-edit"' ? 200 : 412);
    });
    expect(conditions()).toEqual(['"b-1"', '"local-edit"']);
    expect(delivery.outcome).toBe('withdrawn; the copy at the partner had another entity tag than is known here');
  });

  test('RFC 9110 13.1.1: a group that is gone has no tag that could match, and is withdrawn', async () => {
    const delivery = await provideAndDelete({ ETag: '"b-1"' }, ({ method }, socket) =>
      answer(socket, method === 'HEAD' ? 404 : 412),
    );
    expect(delivery).toMatchObject({ state: 'delivered', outcome: 'withdrawn' });
    expect(conditions()).toEqual(['"b-1"']);
  });

  test('a partner whose tag is another in each answer gets the order without condition', async () => {
    let tags = 0;
    const delivery = await provideAndDelete({ ETag: '"b-1"' }, ({ method, headers }, socket) => {
      tags += 1;
      if (method === 'HEAD') answer(socket, 200, { ETag: `"now-${tags}"`, 'Content-Type': type });
      else answer(socket, headers['if-match'] === undefined ? 200 : 412);
    });
    expect(delivery.state).toBe('delivered');
    expect(conditions()).toEqual(['"b-1"', expect.stringMatching(/^"now-\d+"$/), undefined]);
  });

  test.each([
    ['a weak tag', 200, { ETag: 'W/"x"' }],
    ['no tag', 200, {}],
    ['403', 403, {}],
    ['405', 405, {}],
    ['501', 501, {}],
  ])('a partner that answers the question with %s gets the order without condition', async (_what, status, fields) => {
    const delivery = await provideAndDelete({ ETag: '"b-1"' }, ({ method, headers }, socket) => {
      if (method === 'HEAD') answer(socket, status, fields as Record<string, string>);
      else answer(socket, headers['if-match'] === undefined ? 200 : 412);
    });
    expect(delivery.state).toBe('delivered');
    expect(conditions()).toEqual(['"b-1"', undefined]);
  });

  test('412 whatever is asked is shown to the operator after a bounded number of requests', async () => {
    const delivery = await provideAndDelete({ ETag: '"b-1"' }, ({ method }, socket) => {
      if (method === 'HEAD') answer(socket, 200, { ETag: '"b-2"', 'Content-Type': type });
      else answer(socket, 412);
    });
    expect(delivery).toMatchObject({ state: 'parked', outcome: 'refused with 412' });
    expect(blue.asked.length).toBeLessThan(6);
  });
});

test.each([404, 410])('%i to a deletion: it is done', async (status) => {
  const delivery = await provideAndDelete({ ETag: '"b-1"' }, (_asked, socket) => answer(socket, status));
  expect(delivery).toMatchObject({ state: 'delivered', outcome: 'withdrawn' });
  expect(blue.with('DELETE')).toHaveLength(1);
});

test('what the group holds after it was created once more has its own tag, which an older deletion does not name', async () => {
  await provideAndDelete({ ETag: '"b-1"' }, (_asked, socket) => answer(socket, 200));
  await provideAndDelete({ ETag: '"b-2"' }, (_asked, socket) => answer(socket, 200));
  expect(blue.with('PUT').map(({ headers }) => headers['if-none-match'])).toEqual(['*', '*']);
  expect(conditions()).toEqual(['"b-1"', '"b-2"']);
});
