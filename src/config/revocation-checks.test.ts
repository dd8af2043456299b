// What `mcgw check` says of revocation lists.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { revocationListOf } from '../identity/revocation-lists.testkit.ts';
import { writeLabCertificates } from './lab-certificates.ts';
import { checkConfiguration } from './load.ts';
import { revocationChecks } from './revocation-checks.ts';
import { parseYaml } from './yaml-source.ts';

const now = Date.now();
let folder: string;
let other: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-crl-'));
  other = join(folder, 'other');
  for (const each of [folder, other]) await writeLabCertificates({ folder: each, force: false, days: 100, now });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const labAuthority = (of: string) => ({
  cert: readFileSync(join(of, 'ca.crt'), 'utf8'),
  key: readFileSync(join(of, 'ca.key'), 'utf8'),
});

/** Findings as texts when the files hold these lists. */
async function found(interconnectList: string, partnerTls = '{ ca: other/ca.crt }'): Promise<readonly string[]> {
  writeFileSync(join(folder, 'list.crl'), interconnectList);
  const source = parseYaml(
    join(folder, 'gateway.yaml'),
    `system: { name: blue, domains: [blue.example], gms: "sip:gms@blue.example" }
interconnect:
  listen: { port: 8081, tls: { cert: blue.crt, key: blue.key, clientCa: ca.crt, crl: list.crl } }
  root: https://localhost:8081/xcap-root
partners:
  - name: red
    domains: [red.example]
    gms: sip:gms@red.example
    certificates: [{ san: gms.red.example }]
    tls: ${partnerTls}
    agreement: { theyProvide: [{ groups: "sip:*@red.example" }] }
`,
  );
  const findings = await revocationChecks(checkConfiguration(source, now).sections, now);
  return findings.map(
    ({ path, text, severity }) => `${severity} ${path.join('.')}: ${text.replaceAll(`${folder}/`, '')}`,
  );
}

test('every CA with a list that is in time: nothing to say', async () => {
  const both = [await revocationListOf(labAuthority(folder), [], now + 48 * 3_600_000)];
  writeFileSync(join(folder, 'red.crl'), await revocationListOf(labAuthority(other), [], now + 48 * 3_600_000));
  expect(await found(both.join(''), '{ ca: other/ca.crt, crl: red.crl }')).toEqual([]);
});

test('a CA without a list is an error at its key, since each of its certificates would be refused', async () => {
  const list = await revocationListOf(labAuthority(folder), [], now + 48 * 3_600_000);
  expect(await found(list)).toEqual([
    'error partners.0.tls.ca: no revocation list of CN=mcgw lab CA is configured, so each of its certificates would be refused',
  ]);
});

test('a list that nobody among the CAs signed is an error', async () => {
  const stranger = join(folder, 'stranger');
  await writeLabCertificates({ folder: stranger, force: false, days: 100, now });
  const findings = await found(await revocationListOf(labAuthority(stranger), []), '{}');
  expect(findings).toContain(
    'error interconnect.listen.tls.crl: list.crl holds a revocation list of CN=mcgw lab CA, which is none of the CAs',
  );
});

test.each([
  ['', 'is empty'],
  ['a text', 'holds no PEM revocation list'],
  ['-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----', 'holds a revocation list that cannot be read'],
])('%j is an error', async (text, sentence) => {
  expect(await found(text, '{}')).toContain(`error interconnect.listen.tls.crl: list.crl ${sentence}`);
});

test('a list out of date is an error, one that soon will be a warning', async () => {
  const at = async (nextUpdate: number) => found(await revocationListOf(labAuthority(folder), [], nextUpdate), '{}');
  expect(await at(now - 5000)).toEqual([
    expect.stringMatching(
      /^error interconnect\.listen\.tls\.crl: list\.crl: the list of CN=mcgw lab CA had to be renewed by /,
    ),
  ]);
  expect(await at(now + 3_600_000)).toEqual([
    expect.stringMatching(
      /^warning interconnect\.listen\.tls\.crl: list\.crl: the list of CN=mcgw lab CA must be renewed by /,
    ),
  ]);
});
