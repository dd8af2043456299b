// Revoked certificates between whole gateways: RFC 5280 clause 6.3, replaced without a restart.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../test/until.ts';
import { revocationListOf } from '../identity/revocation-lists.testkit.ts';
import type { ListedDelivery } from '../manage/listings.ts';
import {
  blueConfiguration,
  redConfiguration,
  runGateway,
  type TestConfiguration,
  type TestGateway,
  token,
} from './gateway.testkit.ts';

const groupId = 'sip:harbour-tg1@red.example';
const group = `groups/${encodeURIComponent(groupId)}`;
const running: TestGateway[] = [];
afterEach(async () => {
  for (const gateway of running.splice(0)) await gateway.close();
});

async function run(configuration: TestConfiguration): Promise<TestGateway> {
  const gateway = await runGateway(configuration);
  running.push(gateway);
  return gateway;
}

/** The configuration with the list `list.crl` of the lab CA on the interconnect face. */
function withList(configuration: TestConfiguration): TestConfiguration {
  const interconnect = configuration.interconnect as { readonly listen: { readonly tls: object } };
  const tls = { ...interconnect.listen.tls, crl: 'list.crl' };
  return { ...configuration, interconnect: { ...interconnect, listen: { ...interconnect.listen, tls } } };
}

async function writeList(gateway: TestGateway, revoked: readonly string[]): Promise<void> {
  const read = (name: string): Promise<string> => readFile(join(gateway.folder, name), 'utf8');
  const authority = { cert: await read('ca.crt'), key: await read('ca.key') };
  const list = await revocationListOf(authority, await Promise.all(revoked.map((name) => read(`${name}.crt`))));
  await writeFile(join(gateway.folder, 'list.crl'), list);
}

async function manage(
  gateway: TestGateway,
  path: string,
  init: { readonly method?: 'PUT' | 'POST'; readonly body?: string } = {},
): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await request(`${gateway.urls.manage}/api/v1/${path}`, { headers, ...init });
  return answer.body.json();
}

async function deliveryOf(gateway: TestGateway): Promise<ListedDelivery | undefined> {
  return ((await manage(gateway, 'deliveries')) as { deliveries: ListedDelivery[] }).deliveries[0];
}

/** Red provides to blue while `checking` holds a list that names the certificate of the other; then the list is replaced by an empty one. */
async function provided(checking: 'red' | 'blue', refused: (delivery: ListedDelivery) => boolean): Promise<void> {
  const blue = await run(blueConfiguration());
  const red = await run(redConfiguration(blue.urls.interconnect));
  const checker = checking === 'blue' ? blue : red;
  await writeList(checker, [checking === 'blue' ? 'red' : 'blue']);
  expect(await checker.reload(await checker.changed(withList))).toEqual([]);
  const harbour = await readFile(new URL('../../config/groups/harbour-tg1.xml', import.meta.url), 'utf8');
  await manage(red, group, { method: 'PUT', body: harbour });
  await until(
    () => deliveryOf(red),
    (delivery) => delivery !== undefined && refused(delivery),
    'the refusal',
    20_000,
  );

  await writeList(checker, []);
  await checker.reload(await checker.changed(withList));
  await manage(red, `deliveries/blue/${encodeURIComponent(groupId)}/retry`, { method: 'POST' });
  await until(
    () => deliveryOf(red),
    (delivery) => delivery?.state === 'delivered',
    'the delivery',
    20_000,
  );
}

test(
  'RFC 5280 6.3: a caller whose certificate is revoked is refused, until a list without it is reloaded',
  () =>
    provided(
      'blue',
      ({ state, outcome }) =>
        state === 'parked' && (outcome ?? '').startsWith('refused with 403 credentials-refused: '),
    ),
  60_000,
);

test(
  'RFC 5280 6.3: nothing is sent to a partner whose certificate is revoked, until a list without it is reloaded',
  () => provided('red', ({ state, attempts }) => state === 'queued' && attempts >= 2),
  60_000,
);
