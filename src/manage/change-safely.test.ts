// Policies changed on a running gateway, local edits of its copies, and where each copy comes from: by API and command.
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../test/until.ts';
import {
  blueConfiguration,
  redConfiguration,
  runGateway,
  type TestConfiguration,
  type TestGateway,
  token,
} from '../gateway/gateway.testkit.ts';
import type { PolicyInForce } from '../interconnect/policy-versions.ts';
import { changesOf, Subscriber } from '../sip/face.testkit.ts';
import { undocumented } from './answers.testkit.ts';
import { groupExplain } from './commands/explain.ts';
import { groupList, groupPut } from './commands/group.ts';
import { type ManagementClient, managementClient } from './commands/management-client.ts';
import { overlayDrop, overlayList, overlayRebase, overlayShow } from './commands/overlay.ts';
import { partnerPull } from './commands/partner.ts';
import { policyActivate, policyList, policyPlan, policyRollback } from './commands/policy-versions.ts';
import { printed } from './commands/printed.testkit.ts';
import type { Provenance } from './listings.ts';

const groupId = 'sip:harbour-tg1@red.example';
const document = new URL('../../config/groups/harbour-tg1.xml', import.meta.url);
const plain = { json: false };
const waiting = { json: false, wait: true };

let red: TestGateway;
let blue: TestGateway;
let atRed: ManagementClient;
let atBlue: ManagementClient;
let folder: string;

/** A policy of one rule. */
const policy = (version: number, rule: string): string =>
  `policy: from-red\nversion: ${version}\nrules:\n  - { name: rule ${version}, ${rule} }\n`;
const ceiling = (max: number): string => `clamp: { priority: [mcptt], max: ${max} }`;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

beforeAll(async () => {
  red = await runGateway(redConfiguration());
  blue = await runGateway(blueConfiguration(red.urls.interconnect));
  folder = blue.folder;
  atRed = managementClient({ url: red.urls.manage, token });
  atBlue = managementClient({ url: blue.urls.manage, token });
  await groupPut(atRed, groupId, document.pathname, plain, { out: String, err: String });
  await partnerPull(atBlue, 'red', groupId, plain, { out: String, err: String });
});
afterAll(async () => {
  await atRed.close();
  await atBlue.close();
  await red.close();
  await blue.close();
});

const served = async (): Promise<string> =>
  (await atBlue.send({ path: `groups/${encodeURIComponent(groupId)}`, accept: 'application/xml' })).body;
const explained = async (): Promise<Provenance> =>
  JSON.parse(await printed((terminal) => groupExplain(atBlue, groupId, { json: true }, terminal))) as Provenance;
const inForce = async (): Promise<readonly PolicyInForce[]> =>
  JSON.parse(await printed((terminal) => policyList(atBlue, { json: true }, terminal))) as PolicyInForce[];

function xcap(
  method: 'PUT' | 'DELETE' | 'OPTIONS' | 'GET',
  node: string,
  body?: string,
  who = 'sip:admin@blue.example',
) {
  const url = `${blue.urls.xcap}/org.openmobilealliance.groups/global/byGroupID/${groupId}/~~/${node}`;
  return request(url, {
    method,
    headers: { 'content-type': 'application/xcap-el+xml', 'x-3gpp-asserted-identity': `"${who}"` },
    ...(body === undefined ? {} : { body }),
  });
}

const inbound = { partner: 'red', direction: 'inbound' };

describe('policies', () => {
  test('without a file the policy none is in force and everything is as it wants', async () => {
    expect(await printed((terminal) => policyList(atBlue, plain, terminal))).toMatch(
      /\nred +inbound +none v0 +\S+ +file +- +all groups +-\n/,
    );
    expect(await inForce()).toMatchObject([
      { partner: 'red', direction: 'inbound', active: { policy: 'none', version: 0 }, inLine: true, earlier: [] },
      { partner: 'red', direction: 'outbound' },
    ]);
  });

  test('plan tells how many groups change and by which rule, and changes nothing', async () => {
    const before = await served();
    const text = await printed((terminal) =>
      policyPlan(atBlue, file('v1.yaml', policy(1, ceiling(2))), { ...plain, ...inbound }, terminal),
    );
    expect(text).toBe(
      [
        `changed ${groupId} (red, inbound): by rule 1 (1)`,
        'policy from-red v1: 1 group: 1 change, 0 stay, 0 refused',
        '  rule "rule 1": 1 group, 1 change',
      ].join('\n'),
    );
    expect(await served()).toBe(before);
    expect((await inForce())[0]?.active.policy).toBe('none');
  });

  test('plan tells which groups would be refused, and why', async () => {
    const strict = file('strict.yaml', policy(1, 'require: { select: //g:nothing, otherwise: nothing there }'));
    const lines = (await printed((terminal) => policyPlan(atBlue, strict, { json: true, ...inbound }, terminal))).split(
      '\n',
    );
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { group: { groupId, outcome: 'refused', code: 'constraint-failure', cause: expect.stringContaining('rule 1') } },
      { summary: { total: 1, changed: 0, unchanged: 0, refused: 1 } },
    ]);
    for (const line of lines) expect(undocumented('POST', '/policies/plan', 200, JSON.parse(line))).toEqual([]);
  });

  test('activate derives all groups again and waits until it is done; the rule is in the provenance', async () => {
    const text = await printed((terminal) =>
      policyActivate(atBlue, join(folder, 'v1.yaml'), { ...waiting, ...inbound }, terminal),
    );
    expect(text).toMatch(/^from-red v1 is in force for red, inbound\n/);
    expect(text).toMatch(/red, inbound: 1 of 1 group, 1 changed, 0 refused$/);
    expect(await explained()).toMatchObject({
      source: { partner: 'red' },
      policy: { name: 'from-red', version: 1 },
      rules: [{ rule: 'rule 1', kind: 'clamp', changes: [{ before: expect.any(String), after: expect.any(String) }] }],
    });
    expect(await printed((terminal) => groupExplain(atBlue, groupId, plain, terminal))).toMatch(
      /\nsource {3}from red, tag ".*\npolicy {3}from-red v1, .*\nrule {5}"rule 1" \(clamp\)\n {9}@ /,
    );
  });

  test('by its name a policy is activated wherever one of that name is in force', async () => {
    const first = await served();
    await printed((terminal) => policyActivate(atBlue, file('v2.yaml', policy(2, ceiling(1))), waiting, terminal));
    expect(await served()).not.toBe(first);
    const [active] = await inForce();
    expect([active?.active.version, active?.earlier.map(({ version }) => version)]).toEqual([2, [1, 0]]);
    expect(active).toMatchObject({ differsFromFile: true, active: { how: 'activated', actor: 'operator' } });
  });

  test('rollback returns, step by step', async () => {
    await printed((terminal) => policyRollback(atBlue, 'red', { ...waiting, direction: 'inbound' }, terminal));
    expect((await explained()).policy).toMatchObject({ name: 'from-red', version: 1 });
    expect((await inForce())[0]?.active.how).toBe('rolled-back');
    await printed((terminal) => policyRollback(atBlue, 'red', { ...waiting, direction: 'inbound' }, terminal));
    expect((await explained()).policy).toMatchObject({ name: 'none', version: 0 });
    expect(await served()).toBe(await readFile(document, 'utf8'));
    await expect(
      policyRollback(atBlue, 'red', { ...waiting, direction: 'inbound' }, { out: String, err: String }),
    ).rejects.toThrow('no version before');
  });

  test('a group that the new version refuses keeps its last good document and is flagged, until one accepts it', async () => {
    await printed((terminal) => policyActivate(atBlue, join(folder, 'v1.yaml'), { ...waiting, ...inbound }, terminal));
    const good = await served();
    const text = await printed((terminal) => policyActivate(atBlue, join(folder, 'strict.yaml'), waiting, terminal));
    expect(text).toMatch(/1 of 1 group, 0 changed, 1 refused$/);
    expect(await served()).toBe(good);
    expect(await explained()).toMatchObject({
      policy: { name: 'from-red', version: 1 },
      refused: { policy: 'from-red', policyVersion: 1, code: 'constraint-failure' },
    });
    const flagged = (): Promise<string> =>
      printed((terminal) => groupList(atBlue, { ...plain, refused: true, partner: 'red' }, terminal));
    expect(await flagged()).toMatch(/\nsip:harbour-tg1@red\.example +red +from-red v1 +\S+ +constraint-failure: /);
    expect(undocumented('GET', '/groups', 200, await atBlue.json('groups?refused=true'))).toEqual([]);
    await printed((terminal) => policyRollback(atBlue, 'red', { ...waiting, direction: 'inbound' }, terminal));
    expect((await explained()).refused).toBeUndefined();
    expect(await flagged()).not.toContain(groupId);
  });

  test('who changed which policy is in the journal', async () => {
    const { entries } = (await atBlue.json('journal?subject=policy%3Ared')) as { entries: readonly object[] };
    expect(entries[0]).toMatchObject({
      actor: 'operator',
      action: 'policy-activated',
      detail: { direction: 'inbound', policy: 'from-red', policyVersion: 1, how: 'activated' },
    });
    expect(entries).toContainEqual(expect.objectContaining({ action: 'policy-rolled-back' }));
  });

  test('what cannot be meant is refused before anything happens', async () => {
    const quiet = { out: String, err: String };
    await expect(policyPlan(atBlue, 'green', plain, quiet)).rejects.toThrow(
      'partner-unknown: No partner green: there are red',
    );
    await expect(policyPlan(atBlue, 'red', plain, quiet)).rejects.toThrow('No policy file is configured');
    const other = file('other.yaml', policy(1, ceiling(1)).replace('from-red', 'other'));
    await expect(policyActivate(atBlue, other, waiting, quiet)).rejects.toThrow('No policy in force is called other');
    expect(await policyPlan(atBlue, join(folder, 'none.yaml'), plain, quiet)).toBe(2);
    expect(await policyPlan(atBlue, file('wrong.yaml', 'policy: x'), plain, quiet)).toBe(2);
  });

  test('a restart keeps what was activated; a changed file comes into force', async () => {
    const configured = file('from-red.yaml', policy(7, ceiling(3)));
    const changed = await blue.changed((configuration) => ({
      ...configuration,
      partners: (configuration.partners as readonly TestConfiguration[]).map((partner) => ({
        ...partner,
        inboundPolicy: configured,
      })),
    }));
    await blue.reload(changed);
    expect((await inForce())[0]).toMatchObject({ active: { version: 7, how: 'file' }, differsFromFile: false });
    await printed((terminal) => policyActivate(atBlue, join(folder, 'v2.yaml'), waiting, terminal));
    await blue.reload(changed);
    expect((await inForce())[0]).toMatchObject({ active: { version: 2 }, differsFromFile: true });
    await printed((terminal) => policyActivate(atBlue, 'red', waiting, terminal));
    expect((await inForce())[0]).toMatchObject({ active: { version: 7, how: 'activated' }, differsFromFile: false });
  });

  test('another text under the version in force is activated, and said to be so', async () => {
    const activated = (number: number) =>
      printed((terminal) =>
        policyActivate(atBlue, file('again.yaml', policy(number, ceiling(3 + number))), waiting, terminal),
      );
    expect(await activated(7)).toContain('another text was in force under the same version');
    expect(await activated(8)).not.toContain('another text');
  });
});

describe('local edits', () => {
  const node = 'group/list-service/display-name';
  let subscriber: Subscriber | undefined;
  afterAll(() => subscriber?.close());

  test('an administrator edits the served copy by XCAP; others are 405', async () => {
    const allowed = await xcap('OPTIONS', node);
    expect(allowed.headers.allow).toBe('GET, HEAD, PUT, DELETE, OPTIONS');
    await allowed.body.dump();
    const stranger = await xcap('PUT', node, '<display-name>X</display-name>', 'sip:mcptt@blue.example');
    expect([stranger.statusCode, stranger.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS']);
    await stranger.body.dump();
    const put = await xcap('PUT', node, '<display-name>Harbour, as blue calls it</display-name>');
    expect(put.statusCode).toBe(200);
    await put.body.dump();
    expect(await served()).toContain('Harbour, as blue calls it');
    const read = await xcap('GET', node);
    expect(await read.body.text()).toBe('<display-name>Harbour, as blue calls it</display-name>');
    expect(`"${(await explained()).served?.tag}"`).toBe(put.headers.etag);
  });

  test('a parent that is missing is told with its closest ancestor', async () => {
    const put = await xcap('PUT', 'group/list-service/none/x', '<x/>');
    expect(put.statusCode).toBe(409);
    expect(await put.body.text()).toContain(`${blue.urls.xcap}/org.openmobilealliance.groups/global/byGroupID/`);
  });

  test('what binds both systems is 409 constraint-failure, and nothing is kept', async () => {
    const query = '?xmlns(m=urn:3gpp:ns:mcpttGroupInfo:1.0)';
    const body = '<mcpttgi:protect-media>false</mcpttgi:protect-media>';
    const put = await xcap('PUT', `group/list-service/m:protect-media${query}`, body);
    expect([put.statusCode, await put.body.text()]).toEqual([
      409,
      expect.stringMatching(/constraint-failure.*protect-media/),
    ]);
    const removal = await xcap('DELETE', `group/list-service/m:protect-media${query}`);
    expect(removal.statusCode).toBe(409);
    await removal.body.dump();
    expect((await explained()).overlay).toHaveLength(1);
  });

  test('they are listed and shown', async () => {
    expect(await printed((terminal) => overlayList(atBlue, plain, terminal))).toMatch(
      /^GROUP +EDITS +CONFLICTING +SERVED TAG\nsip:harbour-tg1@red\.example +1 +0 +\S+$/,
    );
    expect(await printed((terminal) => overlayShow(atBlue, groupId, plain, terminal))).toMatch(
      /\n1 +\S+ +sip:admin@blue\.example +replace .*display-name +applies$/,
    );
  });

  test('RFC 5875 4.7: who is subscribed is told of an edit and of nothing when it changes nothing, and the provenance says who and when', async () => {
    const port = Number(blue.urls.sip[0]?.split(':').at(-1));
    subscriber = await Subscriber.open(port, 'sip:mcptt@blue.example');
    const sel = `org.openmobilealliance.groups/global/byGroupID/${groupId}`;
    expect((await subscriber.subscribe([sel], { 'Request-URI': 'sip:gms@blue.example' })).status).toBe(200);
    const [first = ''] = changesOf(await subscriber.notify());
    const same = await xcap('PUT', node, '<display-name>Harbour, as blue calls it</display-name>');
    await same.body.dump();
    const put = await xcap('PUT', node, '<display-name>Harbour, for blue</display-name>');
    await put.body.dump();
    const tag = String(put.headers.etag).replaceAll('"', '');
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${first.split(' ').at(-1)} ${tag}`]);
    const told = await until(explained, ({ notified }) => notified[0]?.tag === tag, 'the notification in the journal');
    expect(told.notified[0]).toMatchObject({ tag, subscribers: ['sip:mcptt@blue.example'] });
    const back = await xcap('PUT', node, '<display-name>Harbour, as blue calls it</display-name>');
    await back.body.dump();
  });

  test('they survive a new source, a restart and another policy, and never reach the primary', async () => {
    const home = (await readFile(document, 'utf8')).replace(/(<list-service[^>]*>)/, '$1<!-- changed at home -->');
    const path = `groups/${encodeURIComponent(groupId)}`;
    await atRed.send({ method: 'PUT', path, body: home, contentType: 'application/xml' });
    await printed((terminal) => partnerPull(atBlue, 'red', groupId, plain, terminal));
    expect(await served()).toContain('changed at home');
    expect(await served()).toContain('as blue calls it');
    await printed((terminal) => policyActivate(atBlue, join(folder, 'v2.yaml'), waiting, terminal));
    expect(await served()).toContain('as blue calls it');
    const atHome = await atRed.send({ path, accept: 'application/xml' });
    expect(atHome.body).not.toContain('as blue calls it');
  });

  test('an edit that conflicts is moved by rebase, where it applies', async () => {
    const rebase = (options: { edit?: string; select?: string }, code = 0): Promise<string> =>
      printed((terminal) => overlayRebase(atBlue, groupId, { json: false, ...options }, terminal), code);
    await expect(rebase({ edit: '3', select: 'group/none' })).rejects.toThrow('The edit does not apply there');
    expect(await served()).toContain('as blue calls it');
    expect(await rebase({ edit: '3', select: '/group/list-service/display-name' })).toContain('applies');
    expect(await rebase({})).toContain('applies');
    await expect(rebase({ edit: '9' })).rejects.toThrow('no such local edit');
  });

  test('the provenance has them, and the answers are as documented', async () => {
    expect((await explained()).overlay).toMatchObject([{ number: 3, actor: 'sip:admin@blue.example' }]);
    const encoded = encodeURIComponent(groupId);
    for (const path of ['/policies', '/overlays', `/overlays/${encoded}`, `/groups/${encoded}/provenance`]) {
      expect(undocumented('GET', path, 200, await atBlue.json(path.slice(1)))).toEqual([]);
    }
    const { body } = await atBlue.send({ path: 'provenance?partner=red' });
    expect(undocumented('GET', '/provenance', 200, JSON.parse(body))).toEqual([]);
  });

  test('they are dropped, and the group is what the policy makes of it', async () => {
    await printed((terminal) => overlayDrop(atBlue, groupId, { ...plain, edit: '3' }, terminal));
    expect(await served()).not.toContain('as blue calls it');
    await expect(overlayDrop(atBlue, groupId, plain, { out: String, err: String })).rejects.toThrow(
      'no such local edit',
    );
  });
});
