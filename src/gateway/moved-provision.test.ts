// `provide.to` changes at a running primary: each group moves at the partner with its next delivery. Over real TLS, with partners of each kind.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../test/until.ts';
import { groupDocument } from '../documents/documents.testkit.ts';
import type { DeliveryRecord } from '../store/store.ts';
import { redConfiguration, runGateway, type TestConfiguration, type TestGateway, token } from './gateway.testkit.ts';
import { answer, type PartnerAsked, type WirePartner, wirePartner } from './wire-partner.testkit.ts';

const names = ['alpha', 'beta'];
const idOf = (name: string): string => `sip:${name}@red.example`;
const from = { users: 'sip:from-red@blue.example' };

let red: TestGateway;
let blue: WirePartner;
/** What the partner holds: where, by group. */
let held: Map<string, Set<string>>;
/** Answers before the partner does what it is told; undefined = it does. */
let instead: (asked: PartnerAsked, place: string, groupId: string) => [number, string?] | undefined;

beforeEach(async () => {
  held = new Map();
  instead = () => undefined;
  blue = await wirePartner('blue', (asked, socket) => {
    const [, , tree = '', second = '', third = ''] = asked.path.split('/');
    const place = tree === 'global' ? 'byGroupID' : `users/${decodeURIComponent(second)}`;
    const groupId = decodeURIComponent(third);
    const places = held.get(groupId) ?? new Set();
    held.set(groupId, places);
    const [status, element] = instead(asked, place, groupId) ?? [];
    if (status !== undefined) {
      const body = `<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><${element}/></xcap-error>`;
      const headers = { 'Content-Type': 'application/xcap-error+xml' };
      return element === undefined ? answer(socket, status) : answer(socket, status, headers, body);
    }
    if (asked.method === 'PUT') {
      if (asked.headers['if-match'] !== undefined && !places.has(place)) return answer(socket, 412);
      answer(socket, places.has(place) ? 200 : 201, { ETag: '"b"' });
      places.add(place);
    } else if (asked.method === 'DELETE') answer(socket, places.delete(place) ? 200 : 404);
    else
      answer(socket, places.has(place) ? 200 : 404, {
        ETag: '"b"',
        'Content-Type': 'application/vnd.oma.poc.groups+xml',
      });
  });
  red = await runGateway(at('byGroupID', redConfiguration(blue.root)));
  for (const name of names) await manage('PUT', name);
  await all((one) => one.state === 'delivered');
  blue.asked.length = 0;
});
afterEach(async () => {
  await red.close();
  await blue.close();
});

function at(to: unknown, configuration: TestConfiguration): TestConfiguration {
  const [partner] = configuration.partners as readonly object[];
  const interconnect = { ...(configuration.interconnect as object), brake: { share: 1, atLeast: 100 } };
  return { ...configuration, interconnect, partners: [{ ...partner, provide: { to } }] };
}

async function reload(to: unknown): Promise<void> {
  await red.reload(await red.changed((now) => at(to, now)));
}

async function manage(method: 'PUT' | 'DELETE', name: string): Promise<void> {
  const { statusCode, body } = await request(`${red.urls.manage}/api/v1/groups/${encodeURIComponent(idOf(name))}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/vnd.oma.poc.groups+xml' },
    body: method === 'PUT' ? groupDocument({ uri: idOf(name), members: ['sip:omar@blue.example'] }) : null,
  });
  await body.dump();
  expect(statusCode).toBeLessThan(300);
}

async function deliveries(): Promise<readonly DeliveryRecord[]> {
  const given = await request(`${red.urls.manage}/api/v1/deliveries`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return ((await given.body.json()) as { deliveries: readonly DeliveryRecord[] }).deliveries;
}

/** All deliveries, once each of them is as wanted. */
function all(isWanted: (one: DeliveryRecord) => boolean): Promise<readonly DeliveryRecord[]> {
  return until(deliveries, (found) => found.length >= names.length && found.every(isWanted), 'the deliveries');
}

/** Where the partner holds each group, once that is as wanted. */
async function places(wanted: readonly string[]): Promise<void> {
  const now = async () => names.map((name) => [...(held.get(idOf(name)) ?? [])]);
  await until(now, (found) => found.every((one) => one.join() === wanted.join()), `the move to ${wanted}`);
}

const old = 'byGroupID';
const moved = `users/${from.users}`;
const sequence = (name: string): readonly string[] =>
  blue.asked
    .filter(({ path }) => path.endsWith(encodeURIComponent(idOf(name))))
    .map(({ method, path }) => `${method} ${path.includes('/global/') ? old : 'users'}`);

describe('provide.to from byGroupID to a users tree', () => {
  test('each group is put at its new place before the old copy is deleted, and is there afterwards; only once', async () => {
    await reload(from);
    await places([moved]);
    const settled = await all(({ state, attempts }) => state === 'delivered' && attempts === 1);
    expect(settled.map(({ outcome }) => outcome)).toEqual(['stored by the partner', 'stored by the partner']);
    expect(sequence('alpha')).toEqual(['PUT users', `DELETE ${old}`, 'PUT users']);
    blue.asked.length = 0;
    await manage('DELETE', 'alpha');
    await until(
      async () => held.get(idOf('alpha'))?.size,
      (size) => size === 0,
      'the deletion',
    );
    expect(sequence('alpha')).toEqual(['DELETE users']);
  });

  test('at a partner where both addresses are one document the group is there afterwards', async () => {
    instead = ({ method }, _place, groupId) => {
      const places = held.get(groupId);
      if (method === 'DELETE') places?.clear();
      return method === 'DELETE' ? [200] : undefined;
    };
    await reload(from);
    await places([moved]);
    await all(({ state }) => state === 'delivered');
    expect(names.map((name) => [...(held.get(idOf(name)) ?? [])])).toEqual([[moved], [moved]]);
  });

  test('RFC 4825 11: a partner that takes each group once (uniqueness-failure) gets it when the old copy is gone', async () => {
    instead = ({ method }, place, groupId) =>
      method === 'PUT' && place === moved && held.get(groupId)?.has(old) ? [409, 'uniqueness-failure'] : undefined;
    await reload(from);
    await places([moved]);
    await all(({ state }) => state === 'delivered');
    expect(sequence('beta')).toEqual(['PUT users', `DELETE ${old}`, 'PUT users']);
  });

  test('a partner that takes nothing there keeps what it has', async () => {
    instead = ({ method }, place) => (method === 'PUT' && place === moved ? [403] : undefined);
    await reload(from);
    await all(({ state }) => state === 'parked');
    await places([old]);
    // Back again, nothing was lost.
    await reload('byGroupID');
    await all(({ state }) => state === 'delivered');
    await places([old]);
  });

  test('a partner that fails in the middle gets the whole delivery again', async () => {
    let failures = 3;
    instead = ({ method }) => (method === 'DELETE' && failures-- > 0 ? [503] : undefined);
    await reload(from);
    await places([moved]);
    await all(({ state }) => state === 'delivered');
  });

  test('a deletion that is refused at the old place is told', async () => {
    instead = ({ method }) => (method === 'DELETE' ? [405] : undefined);
    await reload(from);
    const settled = await all(({ state, outcome }) => state === 'delivered' && outcome?.includes('left') === true);
    expect(settled[0]?.outcome).toBe(
      'stored by the partner; a copy may be left at byGroupID: its deletion was refused with 405',
    );
  });
});

test('a group that is deleted while the gateway moves is gone from both places', async () => {
  instead = () => [503];
  await manage('DELETE', 'alpha');
  await reload(from);
  instead = () => undefined;
  const isGone = async (): Promise<boolean> =>
    held.get(idOf('alpha'))?.size === 0 && [...(held.get(idOf('beta')) ?? [])].join() === moved;
  await until(isGone, (gone) => gone, 'both');
});

test('provide.to: none: what was given before is withdrawn where it was', async () => {
  await reload(from);
  await places([moved]);
  await all(({ state }) => state === 'delivered');
  await reload('none');
  await manage('DELETE', 'alpha');
  await until(
    async () => held.get(idOf('alpha'))?.size,
    (size) => size === 0,
    'the withdrawal',
  );
});

test('a restart in the middle forgets no old copy', async () => {
  instead = ({ method }) => (method === 'DELETE' ? [503] : undefined);
  await reload(from);
  await until(
    async () => names.every((name) => held.get(idOf(name))?.has(moved)),
    (put) => put,
    'the new copies',
  );
  red = await red.restart();
  // The file says byGroupID again at this start, as before the reload.
  instead = () => undefined;
  await places([old]);
});
