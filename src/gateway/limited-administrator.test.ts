// An administrator limited to group patterns at a running gateway that holds groups of another system, over real sockets.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import { groupDocument } from '../documents/documents.testkit.ts';
import { blueConfiguration, runGateway, type TestGateway, token } from './gateway.testkit.ts';
import { answer, type WirePartner, wirePartner } from './wire-partner.testkit.ts';

const limited = 'sip:harbour-master@blue.example';
const idOf = (name: string): string => `sip:${name}@red.example`;

let blue: TestGateway;
let red: WirePartner;

beforeAll(async () => {
  red = await wirePartner('red', ({ path }, socket) => {
    const uri = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
    const members = uri === idOf('police-2') ? [limited, 'sip:omar@blue.example'] : ['sip:omar@blue.example'];
    const body = Buffer.from(groupDocument({ uri, members })).toString();
    answer(socket, 200, { 'Content-Type': 'application/vnd.oma.poc.groups+xml', ETag: '"r-1"' }, body);
  });
  const base = blueConfiguration(red.root);
  blue = await runGateway({
    ...base,
    system: {
      ...(base.system as object),
      administrators: ['sip:admin@blue.example', { id: limited, groups: ['sip:harbour-*@red.example'] }],
    },
  });
  for (const name of ['harbour-1', 'police-1', 'police-2']) {
    const pulled = await request(`${blue.urls.manage}/api/v1/partners/red/pull`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ groupId: idOf(name) }),
    });
    expect([pulled.statusCode, await pulled.body.text()]).toEqual([200, expect.anything()]);
  }
});
afterAll(async () => {
  await blue?.close();
  await red?.close();
});

async function read(
  identity: string,
  name: string,
  node = '',
): Promise<{ readonly status: number; readonly text: string }> {
  const id = encodeURIComponent(idOf(name));
  const { statusCode, body } = await request(
    `${blue.urls.xcap}/org.openmobilealliance.groups/global/byGroupID/${id}${node}`,
    { headers: { 'X-3GPP-Asserted-Identity': `"${identity}"` } },
  );
  return { status: statusCode, text: await body.text() };
}

test('reads what its patterns cover, and of the rest nothing', async () => {
  expect((await read(limited, 'harbour-1')).status).toBe(200);
  // A group that is here and one that is not look the same.
  const missing = await read(limited, 'police-3');
  expect(missing.status).toBe(404);
  expect(await read(limited, 'police-1')).toEqual(missing);
  expect(await read(limited, 'police-1', '/~~/group/list-service/display-name')).toEqual(missing);
  expect(red.asked.filter(({ path }) => path.includes('police-3'))).toEqual([]);
});

test('TS 24.481 7.2.12.1: as a member it reads like any other user, members only where the group grants them', async () => {
  const asMember = await read(limited, 'police-2');
  expect(asMember.status).toBe(200);
  expect(asMember.text).not.toContain('sip:omar@blue.example');
  expect((await read('sip:admin@blue.example', 'police-2')).text).toContain('sip:omar@blue.example');
});

test('administrators without limits and own MC service servers read all of them', async () => {
  for (const identity of ['sip:admin@blue.example', 'sip:mcptt@blue.example'])
    expect((await read(identity, 'police-1')).status).toBe(200);
});
