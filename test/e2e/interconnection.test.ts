// TS 23.280 clause 10.2.7, sentence by sentence, on two real gateways: what the overview says, each precondition with what happens when it
// does not hold, and each step of both procedures as it is seen from outside. Proxies are in proxies.test.ts, an unreachable primary in
// primary-lost.test.ts.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { parse, stringify } from 'yaml';
import { example } from '../../src/demo/example-groups.ts';
import { byGroupId, manage } from '../../src/demo/faces.ts';
import type { HttpMessage } from '../../src/demo/http-messages.ts';
import { McServiceServer, type Notification } from '../../src/demo/mc-service-server.ts';
import { Observations } from '../../src/demo/observations.ts';
import { keyPair, labCa, type SystemConfiguration, type SystemName } from '../../src/demo/systems.ts';
import { until } from '../until.ts';
import { type Connector, partnerConnector } from './partner-connector.ts';
import type { Passage } from './support/csc16-relay.ts';
import type { Listener } from './support/listener.ts';
import { Pair } from './support/pair.ts';

interface Exchange {
  readonly request: HttpMessage;
  readonly response: HttpMessage;
  /** CSeqs that blue's MC service server had seen when the answer passed. */
  readonly notified: number;
}

const idOf = (name: string): string => `sip:${name}@red.example`;

let pair: Pair;
let listener: Listener;
/** A partner GMS that is played by hand, with the certificate and PSI of red, at blue; and the other way round. */
let asRed: Connector;
let asBlue: Connector;
const toBlue = new Observations<Exchange>();
const toRed = new Observations<Exchange>();

beforeAll(async () => {
  pair = await Pair.start({ change });
  listener = await pair.listen();
  for (const [relay, exchanges] of [
    [pair.towards.blue, toBlue],
    [pair.towards.red, toRed],
  ] as const) {
    relay.traffic = async (passage) => {
      const response = await passage.forward();
      exchanges.add({ request: passage.request, response, notified: listener.notifications.length });
      passage.answer(response.raw);
    };
  }
  const ca = await labCa(pair.folder);
  const connector = async (as: SystemName, at: SystemName): Promise<Connector> =>
    partnerConnector({
      root: `https://127.0.0.1:${pair.ports[at].interconnect}/xcap-root`,
      ca,
      ...(await keyPair(pair.folder, as)),
    });
  asRed = await connector('red', 'blue');
  asBlue = await connector('blue', 'red');
}, 60_000);

afterAll(async () => {
  await asRed?.close();
  await asBlue?.close();
  await pair?.close();
});

/** With the policies of the demo, and at red a partner `green` that it has no address of. */
function change(name: SystemName, configuration: SystemConfiguration): SystemConfiguration {
  const [partner] = configuration.partners;
  if (name === 'blue') return { ...configuration, partners: [{ ...partner, inboundPolicy: 'policy.yaml' }] };
  const agreement = { weProvide: [{ groups: 'sip:harbour-*@red.example' }] };
  const green = { ...withoutAddress('green'), provide: { to: 'none' }, agreement };
  return { ...configuration, partners: [{ ...partner, outboundPolicy: 'policy.yaml' }, green] };
}

function withoutAddress(name: string) {
  return {
    name,
    domains: [`${name}.example`],
    gms: `sip:gms@${name}.example`,
    certificates: [{ san: `gms.${name}.example` }],
  };
}

/** What `mcgw check` says of a system's configuration with another partner; empty when it has nothing against it. */
async function checked(name: SystemName, partner: object): Promise<string> {
  const file = join(pair.folder, name, 'gateway.yaml');
  const configuration = parse(await readFile(file, 'utf8')) as SystemConfiguration;
  const changed = join(pair.folder, name, 'changed.yaml');
  await writeFile(changed, stringify({ ...configuration, partners: [...configuration.partners, partner] }));
  const program = fileURLToPath(new URL('../../bin/mcgw.js', import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [program, 'check', '--config', changed], (error, stdout, stderr) =>
      resolve(error === null ? '' : stdout + stderr),
    );
  });
}

const isAbout =
  (method: string, name: string) =>
  ({ request: { startLine } }: Pick<Exchange, 'request'>): boolean =>
    startLine.startsWith(`${method} `) && decodeURIComponent(startLine).includes(`/byGroupID/${idOf(name)} `);

const putRequests = (name: string): number => toBlue.since(0, isAbout('PUT', name)).length;
const getRequests = (name: string): number => toRed.since(0, isAbout('GET', name)).length;

/** Stores a group at red and waits until blue has taken it and told so. Answers what blue serves. */
async function provided(name: string, document = pair.document(name, 'First')) {
  const { status } = await pair.put(name, document);
  expect(status).toBeLessThan(300);
  await until(
    () => pair.delivery(name),
    (delivery) => delivery?.state === 'delivered',
    `the delivery of ${name}`,
  );
  const served = await pair.get('blue', name);
  await listener.hears(idOf(name), served.tag);
  return served;
}

/** Deletes a group at red and waits until blue has dropped it and told so. */
async function removed(name: string): Promise<void> {
  expect((await pair.delete(name)).status).toBe(200);
  await listener.hears(idOf(name), undefined);
  await until(
    () => pair.delivery(name),
    (delivery) => delivery?.state === 'delivered',
    `the withdrawal of ${name}`,
  );
}

/** An operator's push at red. */
async function push(partner: string, name: string): Promise<{ readonly status: number; readonly code: string }> {
  const { manageUrl, manageToken } = pair.system('red');
  const { statusCode, body } = await request(`${manageUrl}/api/v1/partners/${partner}/push`, {
    method: 'POST',
    headers: { authorization: `Bearer ${manageToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ groupId: idOf(name) }),
  });
  const { code = '' } = (await body.json()) as { readonly code?: string };
  return { status: statusCode, code };
}

interface JournalEntry {
  readonly action: string;
  readonly detail?: { readonly cause?: string };
}

/** What a system's journal says happened to a group. */
async function journal(system: SystemName, groupId: string): Promise<readonly JournalEntry[]> {
  const { manageUrl, manageToken } = pair.system(system);
  const path = `journal?subject=${encodeURIComponent(groupId)}`;
  const { entries } = (await manage(manageUrl, manageToken, path)) as { readonly entries: readonly JournalEntry[] };
  return entries;
}

describe('overview', () => {
  test('the GMS in the primary provides group configuration to the GMS in the partner (vector 55)', async () => {
    const from = listener.notifications.length;
    const served = await provided('harbour-55');
    const [exchange] = toBlue.since(0, isAbout('PUT', 'harbour-55'));
    expect(exchange?.request.headers.get('x-3gpp-asserted-identity')).toBe('"sip:gms@red.example"');
    expect(exchange?.response.startLine).toBe('HTTP/1.1 201 Created');
    expect(served.status).toBe(200);
    const told = listener.notifications.since(from, () => true).flatMap(({ documents }) => documents);
    expect(told).toEqual([{ sel: byGroupId(idOf('harbour-55')), newTag: served.tag }]);
  });

  test('the partner may modify it by its policies before storing it: priority at most 100 (vector 59)', async () => {
    const high = pair
      .document('harbour-59', 'First')
      .replace(/(<mcpttgi:on-network-group-priority>)\d+/, (_, element) => `${element}200`);
    const served = await provided('harbour-59', high);
    expect(served.body).toContain('<mcpttgi:on-network-group-priority>100<');
    expect((await pair.get('red', 'harbour-59')).body).toContain('<mcpttgi:on-network-group-priority>200<');
  });

  test('the partner may modify it: MCVideo is dropped, the response is success all the same (vector 58)', async () => {
    const flood = await example('joint-flood-2026.xml', 'sip:joint-flood-2026@red.example');
    const video = flood.document.replaceAll(flood.groupId, idOf('harbour-58'));
    expect(video).toMatch(/icsi\.mcvideo/);
    const served = await provided('harbour-58', video);
    expect(served.body).not.toMatch(/icsi\.mcvideo|mcvideo-/);
    expect(served.body).toContain('icsi.mcptt');
    expect((await pair.delivery('harbour-58'))?.outcome).toBe('created at the partner');
  });

  test('the GMS in the partner is the source for members who receive service in the partner (vector 64)', async () => {
    const served = await provided('harbour-64');
    const member = await pair.get('blue', 'harbour-64', 'sip:omar@blue.example');
    expect({ status: member.status, body: member.body }).toEqual({ status: 200, body: served.body });
    expect(member.body).toContain('<list>');
    const silent = pair
      .document('harbour-65', 'First')
      .replace(/<mcpttgi:on-network-allow-getting-member-list>[^/]*\/[^>]*>/, '');
    await provided('harbour-65', silent);
    const view = await pair.get('blue', 'harbour-65', 'sip:omar@blue.example');
    expect(view.status).toBe(200);
    expect(view.body).not.toContain('<list>');
  });

  test('and for nobody else: who is no member, or is served elsewhere', async () => {
    await provided('harbour-66');
    for (const identity of ['sip:eve@blue.example', 'sip:ines@red.example']) {
      expect((await pair.get('blue', 'harbour-66', identity)).status).toBe(404);
    }
  });

  test('user profiles in the partner name the GMS in the partner as the source of the group', async () => {
    await provided('harbour-67');
    const { manageUrl, manageToken, xcapRoot } = pair.system('blue');
    const listed = (await manage(manageUrl, manageToken, 'groups?profile=true')) as {
      readonly profile: readonly { readonly groupId: string }[];
    };
    expect(listed.profile.find(({ groupId }) => groupId === idOf('harbour-67'))).toEqual({
      groupId: idOf('harbour-67'),
      partner: 'red',
      gms: 'sip:gms@blue.example',
      xcapRoot,
    });
  });
});

describe('primary provides: preconditions', () => {
  test('the group is defined in its primary: an unknown one is not provided', async () => {
    expect(await push('blue', 'harbour-unknown')).toEqual({ status: 404, code: 'group-not-homed-here' });
    expect(putRequests('harbour-unknown')).toBe(0);
  });

  test('one or more members are defined in the partner: without any it is not provided', async () => {
    const alone = pair.document('harbour-alone', 'First').replaceAll('omar@blue.example', 'omar@red.example');
    expect((await pair.put('harbour-alone', alone)).status).toBe(201);
    expect(await push('blue', 'harbour-alone')).toEqual({ status: 409, code: 'no-member-of-partner' });
    expect(await pair.delivery('harbour-alone')).toBeUndefined();
    // The next group arrives, this one never left
    await provided('harbour-next');
    expect(putRequests('harbour-alone')).toBe(0);
  });

  test('the primary has the address of the GMS in the partner: without it nothing is sent', async () => {
    const withGreen = pair
      .document('harbour-green', 'First')
      .replace('</list>', '<entry uri="sip:gus@green.example"/></list>');
    await provided('harbour-green', withGreen);
    expect(await push('green', 'harbour-green')).toEqual({ status: 502, code: 'partner-not-addressed' });
    const agreement = { weProvide: [{ groups: 'sip:harbour-*@red.example' }] };
    expect(await checked('red', { ...withoutAddress('yellow'), agreement })).toContain('weProvide: needs xcapRoots');
  });

  test('the primary is authorised to provide: what its own agreement does not name stays', async () => {
    expect((await pair.put('internal-1', pair.document('internal-1', 'First'))).status).toBe(201);
    expect(await push('blue', 'internal-1')).toEqual({ status: 403, code: 'agreement-does-not-cover' });
    expect(await pair.delivery('internal-1')).toBeUndefined();
  });

  test('the primary is authorised to provide: outside the agreement of the partner 403, nothing stored or told (vector 57)', async () => {
    const from = listener.notifications.length;
    const groupId = 'sip:harbour-57@green.example';
    const document = pair.document('harbour-57', 'First').replaceAll(idOf('harbour-57'), groupId);
    expect((await asRed('PUT', byGroupId(groupId), 'sip:gms@red.example', document)).status).toBe(403);
    expect((await pair.groups('blue')).map((group) => group.groupId)).not.toContain(groupId);
    const [entry] = await journal('blue', groupId);
    expect(entry).toMatchObject({ action: 'provision-refused', detail: { cause: 'agreement-does-not-cover' } });
    await provided('harbour-57');
    const told = listener.notifications.since(from, () => true).flatMap(({ documents }) => documents);
    expect(told.map(({ sel }) => sel)).toEqual([byGroupId(idOf('harbour-57'))]);
  });

  test('who provides is the primary of the group: a host that is neither system is rejected (vector 65)', async () => {
    const groupId = 'sip:harbour-65@yellow.example';
    const document = pair.document('harbour-65', 'First').replaceAll(idOf('harbour-65'), groupId);
    expect((await asRed('PUT', byGroupId(groupId), 'sip:gms@red.example', document)).status).toBe(403);
    const own = document.replaceAll(groupId, 'sip:harbour-65@blue.example');
    expect((await asRed('PUT', byGroupId('sip:harbour-65@blue.example'), 'sip:gms@red.example', own)).status).toBe(403);
    const held = (await pair.groups('blue')).map((group) => group.groupId);
    expect(held.filter((id) => !id.endsWith('@red.example'))).toEqual([]);
  });
});

describe('primary provides: procedure', () => {
  test('steps 1, 2, 3 and 5: provided, modified, stored, then answered that it is stored', async () => {
    await provided('harbour-steps');
    const [exchange] = toBlue.since(0, isAbout('PUT', 'harbour-steps'));
    expect(exchange?.request.headers.get('content-type')).toBe('application/vnd.oma.poc.groups+xml');
    expect(exchange?.request.body).toContain(`uri="${idOf('harbour-steps')}"`);
    expect(exchange?.response.startLine).toBe('HTTP/1.1 201 Created');
    expect(exchange?.response.headers.get('etag')).toMatch(/^".+"$/);
    expect(exchange?.response.body).toBe('');
    const held = (await pair.groups('blue')).find(({ groupId }) => groupId === idOf('harbour-steps'));
    expect(held).toMatchObject({ partner: 'red', policy: 'from-red', policyVersion: 1 });
    expect((await journal('blue', idOf('harbour-steps'))).map(({ action }) => action)).toContain('provision-accepted');
  });

  test('step 3: who was told that it is stored can rely on it, SIGKILL or not', async () => {
    const served = await provided('harbour-kept');
    await pair.kill('blue');
    await pair.begin('blue');
    expect(await pair.get('blue', 'harbour-kept')).toEqual(served);
  }, 30_000);

  test('step 4: the MC service servers of the partner are told, with the tag that its own GMS serves', async () => {
    const first = await provided('harbour-told');
    const from = listener.notifications.length;
    const second = await provided('harbour-told', pair.document('harbour-told', 'Second'));
    const told = listener.notifications.since(from, () => true).flatMap(({ documents }) => documents);
    expect(told).toEqual([{ sel: byGroupId(idOf('harbour-told')), previousTag: first.tag, newTag: second.tag }]);
  });

  test('step 4 "may": the response does not wait for a subscriber that does not answer', async () => {
    const arrived = listener.ignore();
    try {
      expect((await pair.put('harbour-silent', pair.document('harbour-silent', 'First'))).status).toBe(201);
      await until(
        () => pair.delivery('harbour-silent'),
        (delivery) => delivery?.state === 'delivered',
        'the delivery',
      );
      await arrived;
    } finally {
      listener.attend();
    }
    await listener.hears(idOf('harbour-silent'), (await pair.get('blue', 'harbour-silent')).tag);
  });

  test('an identical second provision is 200 and told to nobody (vector 56)', async () => {
    const served = await provided('harbour-56');
    const [exchange] = toBlue.since(0, isAbout('PUT', 'harbour-56'));
    const from = listener.notifications.length;
    const again = await asRed('PUT', byGroupId(idOf('harbour-56')), 'sip:gms@red.example', exchange?.request.body);
    expect(again.status).toBe(200);
    expect((await pair.get('blue', 'harbour-56')).tag).toBe(served.tag);
    const next = await provided('harbour-56', pair.document('harbour-56', 'Second'));
    const told = listener.notifications.since(from, () => true).flatMap(({ documents }) => documents);
    expect(told.map(({ newTag }) => newTag)).toEqual([next.tag]);
  });

  test('what the partner holds is never replaced by what was sent before it (vector 66)', async () => {
    await provided('harbour-replay');
    const [first] = toBlue.since(0, isAbout('PUT', 'harbour-replay'));
    const sent = Date.parse(first?.request.headers.get('date') ?? '');
    // Dates of HTTP count in seconds
    await until(
      async () => Date.now(),
      (now) => now >= sent + 1000,
      'the next second',
    );
    const newest = await provided('harbour-replay', pair.document('harbour-replay', 'Second'));
    const from = listener.notifications.length;
    const root = `https://127.0.0.1:${pair.ports.blue.interconnect}/xcap-root`;
    const headers = { date: new Date(sent).toUTCString() };
    const ca = await labCa(pair.folder);
    const replay = partnerConnector({ root, ca, ...(await keyPair(pair.folder, 'red')), headers });
    try {
      const path = byGroupId(idOf('harbour-replay'));
      expect((await replay('PUT', path, 'sip:gms@red.example', first?.request.body)).status).toBe(412);
    } finally {
      await replay.close();
    }
    expect(await pair.get('blue', 'harbour-replay')).toEqual(newest);
    expect(listener.notifications.length).toBe(from);
  });

  test('a provision that was held up on its way does not undo what was sent after it, a deletion included (vector 66)', async () => {
    const relay = pair.towards.blue;
    const usual = relay.traffic;
    for (const [name, after] of [
      ['harbour-late-1', () => provided('harbour-late-1', pair.document('harbour-late-1', 'Second'))],
      ['harbour-late-2', () => removed('harbour-late-2')],
    ] as const) {
      let late: Passage | undefined;
      relay.traffic = async (passage) => {
        if (!isAbout('PUT', name)({ request: passage.request })) return usual(passage);
        late = passage;
        relay.traffic = usual;
        passage.cut();
      };
      await provided(name);
      await after();
      const held = await pair.get('blue', name);
      const from = listener.notifications.length;
      const { startLine = '' } = (await late?.forward()) ?? {};
      expect({ name, startLine }).toEqual({ name, startLine: 'HTTP/1.1 412 Precondition Failed' });
      expect(await pair.get('blue', name)).toEqual(held);
      expect(listener.notifications.length).toBe(from);
    }
  });

  test('a deletion at the primary: 200, the copy is dropped, told with the previous tag only, then 404 (vector 60)', async () => {
    const served = await provided('harbour-60');
    const from = listener.notifications.length;
    expect((await pair.delete('harbour-60')).status).toBe(200);
    const exchange = await toBlue.first(0, isAbout('DELETE', 'harbour-60'), 'the DELETE');
    expect(exchange.response.startLine).toBe('HTTP/1.1 200 OK');
    await listener.hears(idOf('harbour-60'), undefined);
    const told = listener.notifications.since(from, () => true).flatMap(({ documents }) => documents);
    expect(told).toEqual([{ sel: byGroupId(idOf('harbour-60')), previousTag: served.tag }]);
    expect((await pair.get('blue', 'harbour-60', 'sip:omar@blue.example')).status).toBe(404);
    expect((await pair.groups('blue')).map(({ groupId }) => groupId)).not.toContain(idOf('harbour-60'));
  });
});

describe('partner requests: preconditions', () => {
  test('the group is defined in its primary: 404 otherwise, nothing stored', async () => {
    expect((await pair.get('blue', 'border-unknown')).status).toBe(404);
    expect(getRequests('border-unknown')).toBe(1);
    const cause = 'The group is not defined in this system';
    expect(await journal('red', idOf('border-unknown'))).toMatchObject([
      { action: 'request-refused', detail: { cause } },
    ]);
  });

  test('a user of the partner is authorised and has it in the profile, as its MC service server attests: clients cause no request', async () => {
    await pair.put('border-client', pair.document('border-client', 'First'));
    expect((await pair.get('blue', 'border-client', 'sip:omar@blue.example')).status).toBe(404);
    expect((await pair.get('blue', 'border-client')).status).toBe(200);
    expect(getRequests('border-client')).toBe(1);
    expect((await pair.get('blue', 'border-client', 'sip:omar@blue.example')).status).toBe(200);
  });

  test('the partner does not have it stored: what it has is not requested again', async () => {
    await pair.put('border-once', pair.document('border-once', 'First'));
    const first = await pair.get('blue', 'border-once');
    expect(await pair.get('blue', 'border-once')).toEqual(first);
    expect(getRequests('border-once')).toBe(1);
  });

  test('the partner has the address of the GMS in the primary: without it no configuration is accepted', async () => {
    const green = withoutAddress('green');
    expect(await checked('blue', { ...green, agreement: {} })).toBe('');
    const agreement = { weRequest: [{ groups: 'sip:*@green.example' }] };
    expect(await checked('blue', { ...green, agreement })).toContain('weRequest: needs xcapRoots to request from');
  });

  test('the partner is authorised to request: what its own agreement does not name is not requested', async () => {
    const { xcapRoot } = pair.system('blue');
    const from = toRed.length;
    const answer = await request(`${xcapRoot}/${byGroupId('sip:border-1@green.example')}`, {
      headers: { 'x-3gpp-asserted-identity': '"sip:mcptt@blue.example"' },
    });
    await answer.body.dump();
    expect(answer.statusCode).toBe(404);
    expect(toRed.length).toBe(from);
  });

  test('the partner is authorised to request: the primary answers 404 as if there were none (vector 61)', async () => {
    await pair.put('internal-61', pair.document('internal-61', 'First'));
    const asked = async (name: string): Promise<unknown> =>
      asBlue('GET', byGroupId(idOf(name)), 'sip:gms@blue.example');
    const answer = await asked('internal-61');
    expect(answer).toEqual(await asked('internal-none'));
    expect(answer).toMatchObject({ status: 404 });
    const refused = (await journal('red', idOf('internal-61'))).filter(({ action }) => action === 'request-refused');
    expect(refused.at(-1)?.detail?.cause).toBe('agreement-does-not-cover');
    expect((await pair.get('blue', 'internal-61')).status).toBe(404);
  });
});

describe('partner requests: procedure', () => {
  test('steps 1 to 6: asked, requested, given, modified, stored and answered, told', async () => {
    const high = pair
      .document('border-steps', 'First')
      .replace(/(<mcpttgi:on-network-group-priority>)\d+/, (_, element) => `${element}200`);
    expect((await pair.put('border-steps', high)).status).toBe(201);
    const from = listener.notifications.length;
    const answer = await pair.get('blue', 'border-steps');
    expect(answer.status).toBe(200);
    const [exchange] = toRed.since(0, isAbout('GET', 'border-steps'));
    expect(exchange?.request.headers.get('x-3gpp-asserted-identity')).toBe('"sip:gms@blue.example"');
    expect(exchange?.response.startLine).toBe('HTTP/1.1 200 OK');
    expect(exchange?.response.headers.get('etag')).toMatch(/^".+"$/);
    expect(exchange?.response.body).toContain('<mcpttgi:on-network-group-priority>200<');
    expect(answer.body).toContain('<mcpttgi:on-network-group-priority>100<');
    const held = (await pair.groups('blue')).find(({ groupId }) => groupId === idOf('border-steps'));
    expect(held).toMatchObject({ partner: 'red', tag: answer.tag });
    await listener.hears(idOf('border-steps'), answer.tag);
    const told = listener.notifications.since(from, () => true).flatMap(({ documents }) => documents);
    expect(told).toEqual([{ sel: byGroupId(idOf('border-steps')), newTag: answer.tag }]);
  });

  test('step 1, by subscribing: an MC service server that names the group is told of it when it has come', async () => {
    await pair.put('border-named', pair.document('border-named', 'First'));
    const notifications = new Observations<Notification>();
    const server = new McServiceServer({
      identity: 'sip:mcptt@blue.example',
      gms: 'sip:gms@blue.example',
      server: { host: '127.0.0.1', port: pair.ports.blue.sip },
      resources: [byGroupId(idOf('border-named'))],
      onNotification: (notification) => notifications.add(notification),
    });
    try {
      expect(await server.subscribe(600)).toBe('SIP/2.0 200 OK');
      const told = await notifications.first(0, ({ documents }) => documents.length > 0, 'the NOTIFY of the group');
      expect(getRequests('border-named')).toBe(1);
      const { tag } = await pair.get('blue', 'border-named');
      expect(told.documents).toEqual([{ sel: byGroupId(idOf('border-named')), newTag: tag }]);
    } finally {
      server.close();
    }
  });

  test('who holds the current version is answered 304 without a body (vector 62)', async () => {
    await pair.put('border-62', pair.document('border-62', 'First'));
    await pair.get('blue', 'border-62');
    const [exchange] = toRed.since(0, isAbout('GET', 'border-62'));
    const root = `https://127.0.0.1:${pair.ports.red.interconnect}/xcap-root`;
    const headers = { 'if-none-match': exchange?.response.headers.get('etag') ?? '' };
    const ca = await labCa(pair.folder);
    const connector = partnerConnector({ root, ca, ...(await keyPair(pair.folder, 'blue')), headers });
    try {
      const answer = await connector('GET', byGroupId(idOf('border-62')), 'sip:gms@blue.example');
      expect(answer).toEqual({ status: 304, body: '' });
    } finally {
      await connector.close();
    }
  });

  test('step 6: whoever subscribed is told of the group, whoever asked for it', async () => {
    await pair.put('border-operator', pair.document('border-operator', 'First'));
    const { manageUrl, manageToken } = pair.system('blue');
    const { statusCode, body } = await request(`${manageUrl}/api/v1/partners/red/pull`, {
      method: 'POST',
      headers: { authorization: `Bearer ${manageToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ groupId: idOf('border-operator') }),
    });
    await body.dump();
    expect(statusCode).toBe(200);
    await listener.hears(idOf('border-operator'), (await pair.get('blue', 'border-operator')).tag);
  });
});
