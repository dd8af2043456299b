// Operators at two running gateways: testing a partner and comparing both sides, over real TLS and SIP.
import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { portChooser } from '../demo/free-ports.ts';
import { groupDocument } from '../documents/documents.testkit.ts';
import type { PartnerTest, Reconciliation } from '../interconnect/ports.ts';
import { undocumented } from '../manage/answers.testkit.ts';
import { managementClient } from '../manage/commands/management-client.ts';
import { partnerReconcile } from '../manage/commands/partner-reconcile.ts';
import { partnerTest } from '../manage/commands/partner-test.ts';
import {
  blueConfiguration,
  redConfiguration,
  runGateway,
  type TestConfiguration,
  type TestGateway,
  token,
} from './gateway.testkit.ts';

interface JournalLine {
  readonly action: string;
  readonly subject: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

type Changes = { readonly red?: object; readonly blue?: object };

let red: TestGateway;
let blue: TestGateway;
afterEach(async () => {
  await Promise.all([red.close(), blue.close()]);
});

/** Red and blue as in the test kit, each knowing how to reach the other over HTTPS and SIP. */
async function run(partnerOf: Changes = {}): Promise<void> {
  const choose = portChooser();
  const ports = { red: [await choose(), await choose()], blue: [await choose(), await choose()] } as const;
  const at = (name: 'red' | 'blue', base: TestConfiguration): TestConfiguration => {
    const other = name === 'red' ? 'blue' : 'red';
    const [https, sip] = ports[name];
    const interconnect = base.interconnect as { readonly listen: object };
    const [partner] = base.partners as readonly object[];
    return {
      ...base,
      interconnect: { ...interconnect, listen: { ...interconnect.listen, port: https }, timeout: 2 },
      sip: { listen: [`tcp:127.0.0.1:${sip}`] },
      partners: [
        {
          ...partner,
          xcapRoots: [`https://127.0.0.1:${ports[other][0]}/xcap-root`],
          sip: [`sip:gms@127.0.0.1:${ports[other][1]};transport=tcp`],
          sipFrom: ['127.0.0.1'],
          ...partnerOf[name],
        },
      ],
    };
  };
  [red, blue] = await Promise.all([
    runGateway(at('red', redConfiguration())),
    runGateway(at('blue', blueConfiguration())),
  ]);
}

async function command<Result>(
  gateway: TestGateway,
  run: (
    client: ReturnType<typeof managementClient>,
    terminal: { out(text: string): void; err(): void },
  ) => Promise<number>,
): Promise<{ readonly code: number; readonly result: Result }> {
  const client = managementClient({ url: gateway.urls.manage ?? '', token });
  let out = '';
  try {
    const code = await run(client, { out: (text) => (out += text), err: () => undefined });
    return { code, result: JSON.parse(out) as Result };
  } finally {
    await client.close();
  }
}

const tested = (gateway: TestGateway, partner: string) =>
  command<PartnerTest>(gateway, (client, terminal) => partnerTest(client, partner, { json: true }, terminal));

const results = ({ steps }: PartnerTest): Readonly<Record<string, string>> =>
  Object.fromEntries(steps.map(({ step, result }) => [step, result]));

const journal = async (gateway: TestGateway): Promise<readonly JournalLine[]> => {
  const client = managementClient({ url: gateway.urls.manage ?? '', token });
  const { entries } = (await client.json('journal?limit=1000')) as {
    entries: JournalLine[];
  };
  await client.close();
  return entries;
};

describe('mcgw partner test', () => {
  test('tries everything that each side needs; the canary is put and deleted and reaches nobody', async () => {
    await run();
    const fromRed = await tested(red, 'blue');
    expect(fromRed.result.steps.filter(({ result }) => result === 'fails')).toEqual([]);
    expect(fromRed.code).toBe(0);
    expect(results(fromRed.result)).toEqual({
      agreement: 'works',
      tls: 'works',
      identity: 'works',
      get: 'skipped',
      subscribe: 'skipped',
      notify: 'skipped',
      put: 'works',
      delete: 'works',
    });
    expect(fromRed.result.steps[1]?.detail).toMatch(/TLSv1\.3 TLS_\w+ certificate of gms\.blue\.example/);

    const fromBlue = await tested(blue, 'red');
    expect(fromBlue.result.steps.filter(({ result }) => result === 'fails')).toEqual([]);
    expect(results(fromBlue.result)).toEqual({
      agreement: 'works',
      tls: 'works',
      identity: 'works',
      get: 'works',
      subscribe: 'works',
      notify: 'works',
      put: 'skipped',
      delete: 'skipped',
    });

    const atBlue = await journal(blue);
    const canary = 'sip:mcgw-canary@red.example';
    expect(atBlue.filter(({ subject }) => subject === canary).map(({ action }) => action)).toEqual([
      'provision-accepted',
      'document-delete',
    ]);
    const client = managementClient({ url: red.urls.manage ?? '', token });
    expect(await client.json('deliveries')).toEqual({ deliveries: [] });
    await client.close();
  });

  test.each([
    ['nothing listens', { xcapRoots: ['https://127.0.0.1:1/xcap-root'] }, 'tls', /ECONNREFUSED/, /check host and port/],
    [
      'another certificate',
      { certificates: [{ san: 'gms.green.example' }] },
      'tls',
      /is not one of partner blue/,
      /gms\.blue\.example.*; spki .* partners\[\]\.certificates/,
    ],
    [
      'a suspended agreement',
      { agreement: { state: 'suspended', weProvide: [{ groups: '*' }] } },
      'agreement',
      /suspended/,
      /state to active/,
    ],
  ])('%s is found, with what to do about it', async (_what, change, step, detail, advice) => {
    await run({ red: change });
    const { code, result } = await tested(red, 'blue');
    expect(code).toBe(1);
    const found = result.steps.find((one) => one.step === step);
    expect(found).toMatchObject({
      result: 'fails',
      detail: expect.stringMatching(detail),
      advice: expect.stringMatching(advice),
    });
  });

  test('a partner that does not know us is told from one that cannot be reached', async () => {
    await run({ blue: { certificates: [{ san: 'gms.other.example' }] } });
    const { code, result } = await tested(red, 'blue');
    expect(code).toBe(1);
    expect(results(result)).toMatchObject({ tls: 'works', identity: 'fails', put: 'skipped' });
    expect(result.steps.find(({ step }) => step === 'identity')?.advice).toMatch(/bind our certificate to our PSI/);
  });

  test('an agreement that differs at the partner is found by the canary', async () => {
    await run({ blue: { agreement: { weRequest: [{ groups: 'sip:*@red.example' }] } } });
    const { result } = await tested(red, 'blue');
    expect(result.steps.find(({ step }) => step === 'put')).toMatchObject({
      result: 'fails',
      detail: expect.stringMatching(/^403/),
      advice: expect.stringMatching(/theyProvide/),
    });
  });

  test('a SUBSCRIBE from where our PSI is not believed is refused, and said', async () => {
    await run({ red: { sipFrom: ['127.9.9.9'] } });
    const { result } = await tested(blue, 'red');
    expect(results(result)).toMatchObject({ get: 'works', subscribe: 'fails', notify: 'skipped' });
    expect(result.steps.find(({ step }) => step === 'subscribe')?.advice).toMatch(/sipFrom/);
  });
});

test('mcgw partner reconcile: equal, then repaired after the partner has lost a copy, over the real faces', async () => {
  await run();
  const client = managementClient({ url: red.urls.manage ?? '', token });
  for (const name of ['alpha', 'beta', 'gamma']) {
    const uri = `sip:${name}@red.example`;
    const body = groupDocument({ uri, members: ['sip:omar@blue.example'] });
    await client.send({ method: 'PUT', path: `groups/${encodeURIComponent(uri)}`, body });
  }
  for (;;) {
    const { deliveries } = (await client.json('deliveries?state=delivered')) as { deliveries: unknown[] };
    if (deliveries.length === 3) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await client.close();
  const compare = (gateway: TestGateway, partner: string, repair = false) =>
    command<Reconciliation>(gateway, (to, terminal) =>
      partnerReconcile(to, partner, { json: true, pattern: '*', repair }, terminal),
    );
  for (const [gateway, partner] of [
    [red, 'blue'],
    [blue, 'red'],
  ] as const) {
    const { code, result } = await compare(gateway, partner);
    expect(result).toMatchObject({ total: 3, equal: 3, findings: [], directory: '3 groups listed by the partner' });
    expect(code).toBe(0);
  }
  // Blue refuses what it had: its agreement is narrowed, its copies of the others are stale for red.
  await blue.reload(await blue.changed((configuration) => narrowed(configuration)));
  const found = await compare(red, 'blue');
  expect(found.code).toBe(1);
  expect(found.result.findings.map(({ groupId, state }) => [groupId, state])).toEqual([
    ['sip:beta@red.example', 'missing there'],
    ['sip:gamma@red.example', 'missing there'],
  ]);
});

function narrowed(configuration: TestConfiguration): TestConfiguration {
  const [partner] = configuration.partners as readonly object[];
  const agreement = { theyProvide: [{ groups: 'sip:alpha@red.example' }] };
  return { ...configuration, partners: [{ ...partner, agreement }] };
}

test('a partner beyond its limits is told 429 or 503 with Retry-After; the journal and the metrics know, and others are served', async () => {
  await run({ red: { limits: { requestsPerSecond: 0.5, subscribesPerSecond: 0.001, subscriptions: 0 } } });
  const first = await tested(blue, 'red');
  expect(results(first.result)).toMatchObject({ identity: 'works', subscribe: 'fails', notify: 'skipped' });
  expect(first.result.steps.find(({ step }) => step === 'subscribe')?.detail).toMatch(/^answered 503/);
  const second = await tested(blue, 'red');
  expect(results(second.result)).toMatchObject({ tls: 'works', identity: 'fails' });
  expect(second.result.steps.find(({ step }) => step === 'identity')).toMatchObject({
    detail: expect.stringMatching(/^answered 429: rate-exceeded/),
    advice: expect.stringMatching(/limits us/),
  });
  const causes = (await journal(red)).filter(({ action }) => action === 'traffic-refused');
  expect(causes.map(({ detail }) => detail?.cause)).toEqual(
    expect.arrayContaining(['limit of the partner: requests a second', 'limit of the partner: subscriptions']),
  );
  const metrics = await (await fetch(`${red.urls.manage}/metrics`)).text();
  expect(metrics).toMatch(/mcgw_partner_refusals_total\{partner="blue",code="rate-exceeded"\} [1-9]/);
  expect(metrics).toMatch(/mcgw_partner_refusals_total\{partner="blue",code="unavailable"\} [1-9]/);
});

test('a partner that is taken out of the configuration: its groups stay, marked stale, until it is forgotten', async () => {
  await run();
  const uri = 'sip:alpha@red.example';
  const [atRed, atBlue] = [red, blue].map(({ urls }) => managementClient({ url: urls.manage ?? '', token }));
  if (atRed === undefined || atBlue === undefined) throw new Error('no client');
  const body = groupDocument({ uri, members: ['sip:omar@blue.example'] });
  await atRed.send({ method: 'PUT', path: `groups/${encodeURIComponent(uri)}`, body });
  await until(async () => (await groupsOf(atBlue, 'red')).length === 1);
  await expect(groupsOf(atBlue, 'nobody')).rejects.toThrow('partner-unknown: No partner nobody: there are red (404)');
  await expect(atBlue.send({ method: 'DELETE', path: 'partners/red' })).rejects.toThrow(/forbidden: red is configured/);

  await blue.reload(await blue.changed((configuration) => ({ ...configuration, partners: [] })));
  await until(async () => (await groupsOf(atBlue, 'red')).every(({ staleSince }) => staleSince !== undefined));
  expect(await groupsOf(atBlue, 'red')).toMatchObject([{ groupId: uri, partner: 'red' }]);
  const { partners } = (await atBlue.json('partners')) as { partners: readonly object[] };
  expect(partners).toMatchObject([{ name: 'red', state: 'removed', active: false, groupsHeld: 1, groupsStale: 1 }]);
  await expect(groupsOf(atBlue, 'nobody')).rejects.toThrow(/there are red \(configured no more\)/);

  const forgotten = await atBlue.send({ method: 'DELETE', path: 'partners/red' });
  expect(JSON.parse(forgotten.body)).toEqual({ partner: 'red', groups: 1, deliveries: 0 });
  await expect(groupsOf(atBlue, 'red')).rejects.toThrow('partner-unknown: No partner red: there are none');
  await expect(atBlue.send({ path: `groups/${encodeURIComponent(uri)}` })).rejects.toThrow(/not-found/);
  await Promise.all([atRed.close(), atBlue.close()]);
});

type Client = ReturnType<typeof managementClient>;

async function groupsOf(client: Client, partner: string): Promise<readonly { readonly staleSince?: string }[]> {
  return ((await client.json(`groups?partner=${partner}`)) as { groups: readonly { readonly staleSince?: string }[] })
    .groups;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('a regrouped group is listed as urgent in the outbox', async () => {
  await run({ red: { xcapRoots: ['https://127.0.0.1:1/xcap-root'] } });
  const client = managementClient({ url: red.urls.manage ?? '', token });
  const groupId = 'sip:border-7@red.example';
  const body = await readFile(new URL('../../config/groups/border-7.xml', import.meta.url));
  await client.send({ method: 'PUT', path: `groups/${encodeURIComponent(groupId)}`, body });
  const answer = await client.json('deliveries');
  expect(answer).toMatchObject({ deliveries: [{ groupId, urgent: true }] });
  expect(undocumented('GET', '/api/v1/deliveries', 200, answer)).toEqual([]);
  await client.close();
});
