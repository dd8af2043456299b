// `mcgw policy try|check|reveal|schema`: what goes to standard output, what to standard error, and the exit codes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { policyJsonSchema } from '../../policy/policy-json-schema.ts';
import { policyCheck } from './policy-check.ts';
import { policyReveal } from './policy-reveal.ts';
import { policyTry } from './policy-try.ts';

let folder: string;
let out: string[];
let err: string[];
const terminal = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-policy-'));
  out = [];
  err = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const group = new URL('../../../config/groups/harbour-tg1.xml', import.meta.url).pathname;
const policy = (rules: string): string => {
  const file = join(folder, 'p.yaml');
  writeFileSync(file, `policy: p\nversion: 1\nrules:\n${rules}`);
  return file;
};
const options = { partner: 'red', outbound: false, json: false };

describe('mcgw policy try', () => {
  test('the document alone on standard output, the explanation on standard error', async () => {
    const file = policy('  - { name: blue, set: { select: //mcpttgi:owner, value: Blue } }\n');
    expect(await policyTry(file, group, options, terminal)).toBe(0);
    const document = readFileSync(group, 'utf8');
    expect(`${out.join('\n')}\n`).toBe(document.replace(/(owner>)[^<]*/, '$1Blue'));
    expect(err.join('\n')).toContain('rule "blue" (set): 1 change');
  });

  test('--output writes the very bytes, and standard output stays empty', async () => {
    const file = policy('  - { name: served, members: { keep: [ { served: true } ] } }\n');
    const output = join(folder, 'out.xml');
    const more = { servedDomain: ['blue.example'], servedUser: ['sip:ines@red.example'], output };
    expect(await policyTry(file, group, { ...options, ...more }, terminal)).toBe(0);
    expect(readFileSync(output, 'utf8')).toBe(readFileSync(group, 'utf8'));
    expect(out).toEqual([]);
    expect(err).toEqual(['no rule changed anything']);
  });

  test('whoever does not say who is served is told that nobody is', async () => {
    const told = 'nobody counts as served: --served-domain and --served-user say who does';
    const file = policy('  - { name: served, members: { keep: [ { served: true } ] } }\n');
    expect(await policyTry(file, group, options, terminal)).toBe(0);
    expect(err[0]).toBe(told);
    err.length = 0;
    expect(await policyTry(file, group, { ...options, servedDomain: ['blue.example'] }, terminal)).toBe(0);
    expect(err).not.toContain(told);
  });

  test('a refusal is 1, an unusable policy 2', async () => {
    const refusing = policy('  - { name: no, require: { select: //mcpttgi:nothing, otherwise: not like this } }\n');
    expect(await policyTry(refusing, group, options, terminal)).toBe(1);
    expect(err).toEqual(['constraint-failure: not like this']);
    expect(await policyTry(policy('  - { name: no }\n'), group, options, terminal)).toBe(2);
    expect(out).toEqual([]);
  });
});

describe('mcgw policy check', () => {
  test('warns of selections that match none of the example groups, and of no other', async () => {
    const file = policy(
      '  - { name: a, remove: { select: //mcpttgi:ownr } }\n  - { name: b, when: { select: //mcpttgi:owner }, remove: { select: //g:list } }\n',
    );
    expect(await policyCheck([file], {}, terminal)).toBe(0);
    expect(out).toEqual([
      `${file}:4: rules[0].remove.select: warning: //mcpttgi:ownr selects nothing in any stored or example group`,
      `${file}: policy p version 1: no errors, 1 warning`,
    ]);
  });

  test("a group of one's own counts, too", async () => {
    const own = join(folder, 'own.xml');
    writeFileSync(own, readFileSync(group, 'utf8').replaceAll(':owner>', ':ownr>'));
    const file = policy('  - { name: a, remove: { select: //mcpttgi:ownr } }\n');
    expect(await policyCheck([file], { group: [own] }, terminal)).toBe(0);
    expect(out).toEqual([`${file}: policy p version 1: no errors, no warnings`]);
    expect(await policyCheck([file], { group: [join(folder, 'none.xml')] }, terminal)).toBe(2);
  });

  test('prints all problems of all files', async () => {
    expect(await policyCheck([policy('  - { name: a }\n'), join(folder, 'none.yaml')], {}, terminal)).toBe(2);
    expect(out).toEqual([
      expect.stringContaining('p.yaml:4: rules[0]: rule "a": needs exactly one of'),
      expect.stringContaining('none.yaml:1: (file): does not exist'),
    ]);
  });
});

describe('mcgw policy reveal', () => {
  test('tells who is behind a pseudonym to whoever has the key, and to nobody else', async () => {
    const file = policy('  - { name: hide, pseudonym: { members: { domain: red.example } } }\n');
    expect(await policyTry(file, group, { ...options, json: true }, terminal)).toBe(0);
    const pseudonym = /sip:p-[^\\"]*/.exec(out.join(''))?.[0] ?? '';
    out = [];
    expect(await policyReveal([pseudonym], { key: join(folder, 'pseudonym.key') }, terminal)).toBe(0);
    expect(out).toEqual([`${pseudonym} sip:ines@red.example`]);
    const other = join(folder, 'other.key');
    writeFileSync(other, 'another key that is long enough\n');
    expect(await policyReveal([pseudonym], { key: other }, terminal)).toBe(1);
    expect(err).toEqual([`${pseudonym}: this key did not make it`]);
    expect(await policyReveal([pseudonym], { key: join(folder, 'none.key') }, terminal)).toBe(2);
  });
});

test('schemas/policy.schema.json is what `mcgw policy schema` prints (npm run document writes it)', () => {
  const shipped = readFileSync(new URL('../../../schemas/policy.schema.json', import.meta.url), 'utf8');
  expect(shipped).toBe(policyJsonSchema());
  expect(Object.keys(JSON.parse(shipped).properties.rules.items.anyOf[0].properties)).toEqual(
    expect.arrayContaining([
      'name',
      'when',
      'endToEnd',
      'clamp',
      'rewrite',
      'pseudonym',
      'permissions',
      'areas',
      'map',
      'rename',
      'stylesheet',
    ]),
  );
});
