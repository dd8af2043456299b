// The directory of documents that a running gateway shows a partner on CSC-16, over real TLS.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { groupDocument } from '../documents/documents.testkit.ts';
import { labFiles, redConfiguration, runGateway, type TestGateway, token } from './gateway.testkit.ts';

const names = ['alpha', 'beta', 'gamma'];
const idOf = (name: string): string => `sip:${name}@red.example`;

let red: TestGateway;
let blue: Agent;

beforeAll(async () => {
  red = await runGateway(redConfiguration());
  const files = await labFiles();
  const pem = (name: string): string => files.get(name) ?? '';
  blue = new Agent({ connect: { cert: pem('blue.crt'), key: pem('blue.key'), ca: pem('ca.crt') } });
  for (const name of names) await put(name, 'sip:omar@blue.example');
});
afterAll(async () => {
  await blue?.destroy();
  await red?.close();
});

async function put(name: string, ...members: readonly string[]): Promise<void> {
  const { statusCode, body } = await request(`${red.urls.manage}/api/v1/groups/${encodeURIComponent(idOf(name))}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/vnd.oma.poc.groups+xml' },
    body: groupDocument({ uri: idOf(name), members }),
  });
  await body.dump();
  expect(statusCode).toBeLessThan(300);
}

async function get(path: string): Promise<{ readonly status: number; readonly tag: unknown; readonly text: string }> {
  const { statusCode, headers, body } = await request(`${red.urls.interconnect}/${path}`, {
    dispatcher: blue,
    headers: { 'X-3GPP-Asserted-Identity': '"sip:gms@blue.example"' },
  });
  return { status: statusCode, tag: headers.etag, text: await body.text() };
}

/** Entity tags by group, quoted. */
async function listed(): Promise<ReadonlyMap<string, string>> {
  const { status, text } = await get('org.openmobilealliance.xcap-directory/users/sip:gms@blue.example/directory.xml');
  expect(status).toBe(200);
  return new Map(
    [...text.matchAll(/byGroupID\/([^"]*)" etag="([^"]*)"/g)].map(([, id = '', tag = '']) => [
      decodeURIComponent(id),
      `"${tag}"`,
    ]),
  );
}

/** What a read of each group tells. */
async function read(): Promise<ReadonlyMap<string, string>> {
  const answers = await Promise.all(
    names.map(async (name) => ({
      id: idOf(name),
      ...(await get(`org.openmobilealliance.groups/global/byGroupID/${encodeURIComponent(idOf(name))}`)),
    })),
  );
  return new Map(answers.filter(({ status }) => status === 200).map(({ id, tag }) => [id, String(tag)]));
}

test('OMA XDM: each entry has the entity tag that a read of the document tells', async () => {
  const first = await listed();
  expect([...first.keys()].sort()).toEqual(names.map(idOf));
  expect(first).toEqual(await read());
  await put('beta', 'sip:omar@blue.example', 'sip:erik@red.example');
  const second = await listed();
  expect(second).toEqual(await read());
  expect(second.get(idOf('beta'))).not.toBe(first.get(idOf('beta')));
});

test('the tags are those of what the outbound policy makes, and what it withholds is not listed', async () => {
  const policy = `policy: to-blue
version: 1
rules:
  - { name: never gamma, when: { group: "sip:gamma@red.example" }, require: { select: //mcpttgi:nothing, otherwise: withheld } }
  - { name: nameless, remove: { select: "//g:display-name" } }
`;
  await writeFile(join(red.folder, 'to-blue.yaml'), policy);
  const before = await read();
  await red.reload(
    await red.changed((now) => {
      const [partner] = now.partners as readonly object[];
      return { ...now, partners: [{ ...partner, outboundPolicy: 'to-blue.yaml' }] };
    }),
  );
  const after = await listed();
  expect([...after.keys()].sort()).toEqual([idOf('alpha'), idOf('beta')]);
  expect(after).toEqual(await read());
  expect(after.get(idOf('alpha'))).not.toBe(before.get(idOf('alpha')));
});
