// Every policy that the documentation shows, and every one that is shipped, loads as it stands there and fits the JSON Schema.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { blueByThread, fitsJsonSchema, policyText, problemsOf, withPolicyFolder } from './policy.testkit.ts';
import { loadPolicy, parsePolicy } from './policy-file.ts';
import { ruleKindNames } from './policy-schema.ts';

const page = readFileSync(new URL('../../docs/POLICY.md', import.meta.url), 'utf8');
const square = JSON.stringify({
  type: 'Polygon',
  coordinates: [
    [
      [5, 45],
      [9, 45],
      [9, 49],
      [5, 49],
      [5, 45],
    ],
  ],
});
const files = {
  'border.geojson': square,
  'palace.geojson': square,
  'common.yaml': 'rules: []\n',
  'parts/areas.yaml': 'rules: []\n',
  'local.xsl': '<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>',
};
const blocks = [...page.matchAll(/^( *)```yaml\n([\s\S]*?)```/gm)].map(([, indent = '', block = '']) =>
  block.replace(new RegExp(`^${indent}`, 'gm'), ''),
);
const key = (text: string): string => text.replace('/etc/mcgw/names.key', 'pseudonym.key');

describe('the examples of docs/POLICY.md load', () => {
  test.each(ruleKindNames)('%s has a section with an example', (kind) => {
    const section = page.split(`\n### ${kind}\n`)[1]?.split('\n### ')[0] ?? '';
    expect(section).toMatch(new RegExp(`\`\`\`yaml\\n[\\s\\S]*${kind}: `));
  });

  const named = blocks.map((block) => [
    block.split('\n').find((line) => line.includes('name:')) ?? block.slice(0, 60),
    block,
  ]);
  test.each(named)('%s', async (_line, block) => {
    const text = block.startsWith('policy:')
      ? block
      : block.startsWith('when:')
        ? policyText([`when: ${block.trim().slice(6)}, set: { select: //mcpttgi:owner, value: x }`])
        : `policy: p\nversion: 1\nrules:\n${block.replace(/^/gm, '  ')}`;
    const problems = await withPolicyFolder({ ...files, 'policy.yaml': key(text) }, (_, load) => problemsOf(load));
    expect(problems.filter((problem) => !problem.includes('pseudonym.key'))).toEqual([]);
    expect(fitsJsonSchema(key(text))).toBe(true);
  });
});

const root = new URL('../../', import.meta.url).pathname;
const below = (folder: string, ending: string): readonly string[] =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`);

describe('policies beyond this page load and fit the JSON Schema', () => {
  const shipped = [...below('policies', '.yaml'), ...below('config/policies', '.yaml')]
    .map((file) => [file, readFileSync(`${root}${file}`, 'utf8')] as const)
    .filter(([, text]) => /^rules:/m.test(text));
  test('there are some', () => expect(shipped.length).toBeGreaterThanOrEqual(9));
  test.each(shipped)('%s', async (file, text) => {
    expect(fitsJsonSchema(text)).toBe(true);
    // What others include has no name of its own.
    if (/^policy:/m.test(text)) expect(await problemsOf(() => loadPolicy(`${root}${file}`))).toEqual([]);
  });

  const shown = below('docs', '.md').flatMap((file) =>
    [...readFileSync(`${root}${file}`, 'utf8').matchAll(/<<'END'\n(policy: [\s\S]*?)^END$/gm)].map(
      ([, text = '']) => [file, text] as const,
    ),
  );
  test('pages with commands show some', () => expect(shown).not.toEqual([]));
  test.each(shown)('%s: %s', async (file, text) => {
    expect(fitsJsonSchema(text)).toBe(true);
    expect(await problemsOf(async () => parsePolicy(text, file))).toEqual([]);
  });
});

test('rules of all kinds together make one valid document, the same every time', async () => {
  const rules = [
    'clamp: { priority: [mcptt, mcvideo, mcdata], max: 100 }',
    'members: { keep: [ { served: true }, { participantType: dispatcher } ], limit: 200 }',
    'services: { drop: [mcvideo] }',
    'areas: { keepWithin: border.geojson }',
    'remove: { select: "//mcpttgi:*[contains(local-name(),\'off-network-\')]" }',
    'rewrite: { identities: true, pattern: "^sip:(.*)@old\\\\.example$", with: "sip:$1@blue.example" }',
    'pseudonym: { members: { domain: red.example, except: dispatcher } }',
    'permissions: { for: { domain: blue.example }, deny: [allow-MCPTT-emergency-call] }',
    'require: { select: "//mcpttgi:owner", otherwise: "group without owner" }',
    'stylesheet: local.xsl',
  ];
  const group = readFileSync(new URL('../../test/examples/example-group-2.xml', import.meta.url));
  const owner = '<m:owner xmlns:m="urn:3gpp:ns:mcpttGroupInfo:1.0">Blue</m:owner>';
  const xslt = `<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
    <xsl:mode on-no-match="shallow-copy"/><xsl:template match="*:owner">${owner}</xsl:template></xsl:stylesheet>`;
  await withPolicyFolder({ ...files, 'local.xsl': xslt, 'policy.yaml': policyText(rules) }, async (_, load) => {
    const policy = await load();
    const one = await policy.apply(group, blueByThread);
    const other = await policy.apply(group, blueByThread);
    expect(Buffer.from(one.bytes).equals(Buffer.from(other.bytes))).toBe(true);
    expect(one.applied.map(({ kind }) => kind)).toEqual(['clamp', 'services', 'permissions', 'stylesheet']);
  });
});
