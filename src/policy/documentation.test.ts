// Every rule that docs/POLICY.md shows loads as it stands there.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { policyText, problemsOf, withPolicyFolder } from './policy.testkit.ts';
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
  });
});
