// A primary that asks a running gateway to wait with requests for its groups (flow B): over real sockets on both sides.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../test/until.ts';
import { groupDocument } from '../documents/documents.testkit.ts';
import { blueConfiguration, runGateway, type TestGateway, token } from './gateway.testkit.ts';
import { answer, type PartnerScript, type WirePartner, wirePartner } from './wire-partner.testkit.ts';

const type = 'application/vnd.oma.poc.groups+xml';

let blue: TestGateway;
let red: WirePartner;
let other: WirePartner;
let number = 0;

beforeAll(async () => {
  red = await wirePartner('red', (_asked, socket) => answer(socket, 500));
  other = await wirePartner('red', (_asked, socket) => answer(socket, 500));
  const base = blueConfiguration(red.root);
  const [partner] = base.partners as readonly object[];
  blue = await runGateway({
    ...base,
    interconnect: { ...(base.interconnect as object), timeout: 2, failureMemory: 0 },
    partners: [{ ...partner, xcapRoots: [red.root, other.root] }],
  });
});
afterAll(async () => {
  await blue?.close();
  await Promise.all([red?.close(), other?.close()]);
});
beforeEach(async () => {
  // A reload forgets pauses, as it does failures.
  await blue.reload(await blue.changed((now) => now));
  red.asked.length = 0;
  other.asked.length = 0;
  other.script = red.script = giving;
});

const newGroup = (): string => {
  number += 1;
  return `sip:border-${number}@red.example`;
};

const giving: PartnerScript = ({ path }, socket) => {
  const uri = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
  const body = Buffer.from(groupDocument({ uri, members: ['sip:omar@blue.example'] })).toString();
  answer(socket, 200, { 'Content-Type': type, ETag: '"r-1"' }, body);
};

/** Both roots answer alike. */
function busy(status: number, retryAfter?: string): void {
  red.script = other.script = (_asked, socket) =>
    answer(socket, status, retryAfter === undefined ? {} : { 'Retry-After': retryAfter });
}

interface Given {
  readonly status: number;
  readonly retryAfter: number;
  readonly text: string;
}

async function ask(groupId: string): Promise<Given> {
  const { statusCode, headers, body } = await request(
    `${blue.urls.xcap}/org.openmobilealliance.groups/global/byGroupID/${encodeURIComponent(groupId)}`,
    { headers: { 'X-3GPP-Asserted-Identity': '"sip:mcptt@blue.example"' } },
  );
  return { status: statusCode, retryAfter: Number(headers['retry-after']), text: await body.text() };
}

async function pull(body: object): Promise<Given> {
  const given = await request(`${blue.urls.manage}/api/v1/partners/red/pull`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return {
    status: given.statusCode,
    retryAfter: Number(given.headers['retry-after']),
    text: await given.body.text(),
  };
}

const requests = (): number => red.with('GET').length + other.with('GET').length;

describe('RFC 9110 10.2.3: Retry-After of a primary', () => {
  test.each([
    [503, 'seconds', () => '2'],
    [429, 'seconds', () => '2'],
    [503, 'an HTTP-date', () => new Date(Date.now() + 2500).toUTCString()],
  ])(
    '%i with %s: the asker gets a 503 with a Retry-After of its own, and the partner is left alone for that time',
    async (status, _form, value) => {
      busy(status, value());
      const first = newGroup();
      const begun = Date.now();
      const told = await ask(first);
      expect(told).toMatchObject({ status: 503, text: expect.stringMatching(/^partner-busy: /) });
      expect(told.retryAfter).toBeGreaterThanOrEqual(1);
      expect(told.retryAfter).toBeLessThanOrEqual(3);
      const asked = requests();
      other.script = red.script = giving;
      // Neither this group nor another one of this partner is asked for meanwhile.
      expect(await ask(first)).toMatchObject({ status: 503 });
      expect(await ask(newGroup())).toMatchObject({ status: 503 });
      expect(requests()).toBe(asked);
      await until(
        () => ask(first),
        ({ status: now }) => now === 200,
        'the group',
      );
      expect(requests()).toBe(asked + 1);
      expect(Math.max(...red.asked.map(({ at }) => at)) - begun).toBeGreaterThan(900);
    },
  );

  test('single flight: all who ask at once share the request and the answer', async () => {
    red.script = (_asked, socket) => setTimeout(() => answer(socket, 429, { 'Retry-After': '30' }), 100);
    const group = newGroup();
    const told = await Promise.all(Array.from({ length: 10 }, () => ask(group)));
    expect(told.map(({ status }) => status)).toEqual(Array(10).fill(503));
    expect(told.every(({ retryAfter }) => retryAfter >= 29 && retryAfter <= 30)).toBe(true);
    expect(requests()).toBe(1);
  });

  test.each(['999999999', '99999999999999999999999', `Fri, 31 Dec 9999 23:59:59 GMT`])(
    'a partner that asks for %s gets an hour',
    async (retryAfter) => {
      busy(503, retryAfter);
      expect(await ask(newGroup())).toMatchObject({ status: 503, retryAfter: 3600 });
    },
  );

  test('0, and a date that is past, are a pause of a second', async () => {
    busy(503, '0');
    expect(await ask(newGroup())).toMatchObject({ status: 503, retryAfter: 1 });
    await blue.reload(await blue.changed((now) => now));
    busy(503, 'Sun, 06 Nov 1994 08:49:37 GMT');
    expect(await ask(newGroup())).toMatchObject({ status: 503, retryAfter: 1 });
  });

  test.each([undefined, 'soon', '-5', '1.5', '2026-01-01T00:00:00Z'])(
    'one that cannot be read (%s) is none: the partner gave no answer',
    async (retryAfter) => {
      busy(503, retryAfter);
      expect(await ask(newGroup())).toMatchObject({ status: 504 });
    },
  );

  test('where another root answers nobody has to wait', async () => {
    red.script = (_asked, socket) => answer(socket, 503, { 'Retry-After': '60' });
    other.script = giving;
    expect(await ask(newGroup())).toMatchObject({ status: 200 });
  });

  test('an operator who asks for one group by hand insists', async () => {
    busy(503, '60');
    const group = newGroup();
    expect(await ask(group)).toMatchObject({ status: 503 });
    other.script = red.script = giving;
    expect(await ask(group)).toMatchObject({ status: 503 });
    expect(await pull({ groupId: group })).toMatchObject({ status: 200 });
  });

  test('an operator who asks for many: short pauses are waited for, and none fails by them', async () => {
    busy(503, '60');
    const groups = [newGroup(), newGroup(), newGroup()];
    for (const group of groups) await ask(group);
    await blue.reload(await blue.changed((now) => now));
    let asked = 0;
    other.script = red.script = (one, socket) => {
      asked += 1;
      if (one.path.includes('directory')) answer(socket, 404);
      else if (asked === 2) answer(socket, 429, { 'Retry-After': '1' });
      else giving(one, socket);
    };
    expect((await pull({ groups: '*' })).status).toBe(202);
    const progress = await until(
      async () => {
        const given = await request(`${blue.urls.manage}/api/v1/partners/red/pull`, {
          headers: { authorization: `Bearer ${token}` },
        });
        return (await given.body.json()) as { finished?: string; failed: number; stored: number };
      },
      ({ finished }) => finished !== undefined,
      'the end of the pull',
    );
    expect(progress.failed).toBe(0);
    expect(progress.stored).toBeGreaterThanOrEqual(3);
  });

  test('the copy that is held is served, and marked stale since the partner could not be asked', async () => {
    const group = newGroup();
    expect(await ask(group)).toMatchObject({ status: 200 });
    busy(503, '60');
    expect((await pull({ groupId: group })).status).toBe(503);
    const { statusCode, headers, body } = await request(
      `${blue.urls.xcap}/org.openmobilealliance.groups/global/byGroupID/${encodeURIComponent(group)}`,
      { headers: { 'X-3GPP-Asserted-Identity': '"sip:mcptt@blue.example"' } },
    );
    await body.dump();
    expect([statusCode, headers['cache-status']]).toEqual([200, expect.stringContaining('detail=stale')]);
  });
});
