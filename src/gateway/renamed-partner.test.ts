// A partner that gets another name in the configuration: what is kept belongs to the name of before, and the operator is told.
import { afterEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { until } from '../../test/until.ts';
import { groupDocument } from '../documents/documents.testkit.ts';
import { managementClient } from '../manage/commands/management-client.ts';
import { partnerList, partnerPullAll } from '../manage/commands/partner.ts';
import type { ListedPartner } from '../manage/listings.ts';
import { blueConfiguration, runGateway, type TestConfiguration, type TestGateway, token } from './gateway.testkit.ts';
import { answer, type WirePartner, wirePartner } from './wire-partner.testkit.ts';

let blue: TestGateway;
let red: WirePartner;
afterEach(async () => {
  await blue.close();
  await red.close();
});

const named = (name: string, configuration: TestConfiguration): TestConfiguration => {
  const [partner] = configuration.partners as readonly object[];
  return { ...configuration, partners: [{ ...partner, name }] };
};

test('the log and the list of partners name the groups that are left behind and whose they are now; a pull takes them over', async () => {
  const groups = ['sip:harbour-1@red.example', 'sip:harbour-2@red.example'];
  red = await wirePartner('red', ({ path }, socket) => {
    const uri = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
    if (!groups.includes(uri)) return answer(socket, 404);
    const body = Buffer.from(groupDocument({ uri, members: ['sip:omar@blue.example'] })).toString();
    answer(socket, 200, { 'Content-Type': 'application/vnd.oma.poc.groups+xml', ETag: '"r-1"' }, body);
  });
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  const warnings = () => logged.filter(({ msg }) => String(msg).includes('partner that is not configured'));
  blue = await runGateway({ ...blueConfiguration(red.root), logging: { level: 'warn' } }, log);
  const client = managementClient({ url: blue.urls.manage ?? '', token });
  for (const groupId of groups) {
    await client.send({
      method: 'POST',
      path: 'partners/red/pull',
      body: Buffer.from(JSON.stringify({ groupId })),
      contentType: 'application/json',
    });
  }
  expect(warnings()).toEqual([]);

  await blue.reload(await blue.changed((now) => named('red-net', now)));
  await until(
    async () => warnings(),
    (told) => told.length > 0,
    'the warning',
  );
  expect(warnings()).toMatchObject([{ level: 40, partner: 'red', groups: 2, deliveries: 0, homes: ['red-net'] }]);

  const told: string[] = [];
  const terminal = { out: () => undefined, err: (line: string) => told.push(line) };
  await partnerList(client, { json: false }, terminal);
  expect(told).toEqual([
    `warning: 2 stored groups belong to red, which is not configured; renamed? "mcgw partner pull red-net '*'" takes over what red-net gives; "mcgw partner forget red" removes what is kept`,
  ]);

  expect(await partnerPullAll(client, 'red-net', '*', { json: false }, terminal)).toBe(0);
  const { partners } = (await client.json('partners')) as { partners: readonly ListedPartner[] };
  expect(partners).toMatchObject([{ name: 'red-net', groupsHeld: 2, groupsStale: 0 }]);
  told.length = 0;
  await partnerList(client, { json: false }, terminal);
  expect(told).toEqual([]);
  await client.close();
});
