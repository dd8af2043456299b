// SIGKILL of a gateway while a policy that was activated is being applied: it is carried on after the restart, every document is of one
// version as a whole, local edits stay, and the journal's chain holds.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import { byGroupId, manage } from '../../src/demo/faces.ts';
import { until } from '../until.ts';
import { Pair } from './support/pair.ts';

const count = 60;
const names = Array.from({ length: count }, (_, number) => `harbour-${number}`);

let pair: Pair;

beforeAll(async () => {
  pair = await Pair.start();
}, 60_000);

afterAll(() => pair?.close());

async function ask(path: string): Promise<unknown> {
  const { manageUrl, manageToken } = pair.system('blue');
  return manage(manageUrl, manageToken, path);
}

async function activate(version: number): Promise<void> {
  const { manageUrl, manageToken } = pair.system('blue');
  const owner = `set: { select: //mcpttgi:owner, value: v${version} }`;
  const text = `policy: killed\nversion: ${version}\nrules:\n  - { name: owner, ${owner} }\n`;
  const response = await request(`${manageUrl}/api/v1/policies/activate`, {
    method: 'POST',
    headers: { authorization: `Bearer ${manageToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ source: { file: 'killed.yaml', text }, partner: 'red', direction: 'inbound' }),
  });
  expect([response.statusCode, await response.body.text()]).toEqual([202, expect.stringContaining('killed')]);
}

interface Provenance {
  readonly policy: { readonly version: number };
  readonly served: { readonly tag: string };
}

interface InForce {
  readonly direction: string;
  readonly inLine: boolean;
  readonly active: { readonly version: number };
  readonly derivation?: { readonly changed: number };
}

async function inbound(): Promise<InForce | undefined> {
  const { policies } = (await ask('policies')) as { readonly policies: readonly InForce[] };
  return policies.find(({ direction }) => direction === 'inbound');
}

/** Owner and policy version of each group as blue has them, without repetition. */
async function versions(): Promise<readonly string[]> {
  const seen = await Promise.all(
    names.map(async (name) => {
      const path = `groups/${encodeURIComponent(`sip:${name}@red.example`)}/provenance`;
      // Two requests tell of one state when the tags are the same.
      const { body, provenance } = await until(
        async () => {
          const { body, tag } = await pair.get('blue', name);
          return { body, tag, provenance: (await ask(path)) as Provenance };
        },
        ({ tag, provenance: { served } }) => served.tag === tag,
        `${name} for a moment`,
      );
      return `${/<mcpttgi:owner>(.*)</.exec(body)?.[1]} ${provenance.policy.version}`;
    }),
  );
  return [...new Set(seen)].sort();
}

test('an activation that was killed on its way is carried on', async () => {
  for (const name of names) {
    expect(await pair.put(name, pair.document(name, name))).toMatchObject({ status: 201 });
  }
  await until(
    () => pair.groups('blue'),
    (groups) => names.every((name) => groups.some(({ groupId }) => groupId === `sip:${name}@red.example`)),
    'all groups at blue',
    30_000,
  );
  await activate(1);
  await until(inbound, (policy) => policy?.inLine === true, 'version 1 everywhere');
  expect(await versions()).toEqual(['v1 1']);
  const edit = await request(
    `${pair.system('blue').xcapRoot}/${byGroupId('sip:harbour-7@red.example')}/~~/group/list-service/display-name`,
    {
      method: 'PUT',
      headers: { 'content-type': 'application/xcap-el+xml', 'x-3gpp-asserted-identity': '"sip:admin@blue.example"' },
      body: '<display-name>kept</display-name>',
    },
  );
  expect([edit.statusCode, await edit.body.text()]).toEqual([200, '']);

  await activate(2);
  await until(inbound, (policy) => (policy?.derivation?.changed ?? 0) > 0, 'the first group of version 2');
  await pair.kill('blue');
  await pair.begin('blue');
  for (const seen of await versions()) expect(['v1 1', 'v2 2']).toContain(seen);
  await until(
    inbound,
    (policy) => policy?.inLine === true && policy.active.version === 2,
    'version 2 everywhere',
    20_000,
  );
  expect(await versions()).toEqual(['v2 2']);
  expect((await pair.get('blue', 'harbour-7')).body).toContain('<display-name>kept</display-name>');
  expect(await ask('journal/verification')).toMatchObject({ intact: true });
}, 90_000);
