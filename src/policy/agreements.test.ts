// Six agreements between agencies as policy, input and expected document; docs/POLICY.md tells them as recipes.
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseYaml } from '../config/yaml-source.ts';
import { builtInUsages, groupsAuid } from '../documents/application-usage.ts';
import { DocumentJudge } from '../documents/judge.ts';
import { inactivity } from '../interconnect/agreement.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { SchemaLibrary } from '../xml/schema.ts';
import { blue, blueByThread } from './policy.testkit.ts';
import { loadPolicy } from './policy-file.ts';
import { PolicyWorkers } from './policy-workers.ts';

const folder = new URL('../../policies/', import.meta.url).pathname;
const recipes = ['border-patrol', 'flood-aid', 'names-withheld', 'rail-operator', 'leads-only', 'hub'];
const read = (recipe: string, name: string): string => readFileSync(join(folder, recipe, name), 'utf8');
const usage = builtInUsages.find(({ auid }) => auid === groupsAuid);

let schemas: SchemaLibrary;
const workers = new PolicyWorkers({ threads: 1 });
beforeAll(async () => {
  schemas = await SchemaLibrary.load({ threads: 1 });
});
afterAll(async () => {
  await Promise.all([schemas.close(), workers.close()]);
});

describe.each(recipes)('%s', (recipe) => {
  test('makes the expected document of its group, valid before and after, in either thread', async () => {
    if (usage === undefined) throw new Error('there is no group usage');
    const judge = new DocumentJudge(schemas, defaultXmlLimits);
    const group = Buffer.from(read(recipe, 'group.xml'));
    const { groupIds } = await judge.judge(usage, group);
    const [groupId = ''] = groupIds;
    // A key is never part of a checkout: the example's is written beside a copy.
    const copy = await mkdtemp(join(tmpdir(), 'recipe-'));
    await cp(join(folder, recipe), copy, { recursive: true });
    await writeFile(join(copy, 'pseudonym.key'), 'the key of the example');
    const policy = await loadPolicy(join(copy, 'policy.yaml'), () => workers);
    await rm(copy, { recursive: true });
    for (const context of [blue, blueByThread]) {
      const { bytes, applied } = await policy.apply(group, { ...context, groupId }, async (derived) => {
        await judge.judgeGroup(usage, groupId, derived);
      });
      expect(Buffer.from(bytes).toString()).toBe(read(recipe, 'expected.xml'));
      expect(applied.length).toBeGreaterThan(0);
    }
    policy.close();
  });
});

test('flood aid: dormant for months, active for 72 hours', () => {
  const agreement = parseYaml('agreement.yaml', read('flood-aid', 'agreement.yaml')).value as Parameters<
    typeof inactivity
  >[0];
  const at = (instant: string): ReturnType<typeof inactivity> => inactivity(agreement, Date.parse(instant));
  expect(at('2026-08-01T00:00:00Z')).toBe('not yet valid');
  expect(at('2026-11-20T06:00:00Z')).toBeUndefined();
  expect(at('2026-11-23T05:59:59Z')).toBeUndefined();
  expect(at('2026-11-23T06:00:00Z')).toBe('no longer valid');
  expect(Date.parse(agreement.validUntil ?? '') - Date.parse(agreement.validFrom ?? '')).toBe(72 * 3600 * 1000);
});

test('flood aid: what is no flood group is refused', async () => {
  const policy = await loadPolicy(join(folder, 'flood-aid', 'policy.yaml'), () => workers);
  const other = read('flood-aid', 'group.xml').replaceAll('joint-flood-2026', 'harbour-tg1');
  await expect(
    policy.apply(Buffer.from(other), { ...blue, groupId: 'sip:harbour-tg1@red.example' }),
  ).rejects.toMatchObject({
    message: 'only joint flood groups are shared',
  });
});

test('names withheld: no name of an officer is left, the dispatcher keeps hers', () => {
  const expected = read('names-withheld', 'expected.xml');
  expect(expected).not.toMatch(/ines|Moreau/i);
  expect(expected).toContain('sip:dispatch1@red.example');
});
