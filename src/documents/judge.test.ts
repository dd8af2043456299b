// Judging documents one at a time and many at once: another thread, the same verdict.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { SchemaLibrary } from '../xml/schema.ts';
import { builtInUsages, groupsAuid } from './application-usage.ts';
import { groupDocument } from './documents.testkit.ts';
import { groupExaminer } from './examine-group.ts';
import { DocumentJudge, type Judged } from './judge.ts';

let library: SchemaLibrary;
let judge: DocumentJudge;

beforeAll(async () => {
  library = await SchemaLibrary.load({ threads: 1 });
  judge = new DocumentJudge(library, defaultXmlLimits);
});

afterAll(() => library.close());

const usage = builtInUsages.find(({ auid }) => auid === groupsAuid);
if (usage === undefined) throw new Error('there are no groups');
const groups = usage;

const text = (document: Uint8Array): string => Buffer.from(document).toString();
const good = text(groupDocument({ name: 'alpha', members: ['sip:ines@red.example'] }));
const cases: readonly (readonly [string, Uint8Array])[] = [
  ['a group', Buffer.from(good)],
  ['another group', groupDocument({ uri: 'sip:beta@red.example', name: 'beta' })],
  ['no end tag', Buffer.from(good.slice(0, -5))],
  ['a document type declaration', Buffer.from(good.replace('<group', '<!DOCTYPE group><group'))],
  ['octets that are no UTF-8', Buffer.concat([Buffer.from(good), Buffer.from([0xff])])],
  ['an element that the schema does not know', Buffer.from(good.replace('</list-service>', '<x/></list-service>'))],
  ['another document element', Buffer.from('<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>')],
  ['a group ID that is no URI', Buffer.from(good.replace(/uri="[^"]*"/, 'uri="alpha"'))],
  ['two members that are one', Buffer.from(good.replace(/<entry .*<\/entry>/s, '$&$&'))],
];

async function verdictOn(bytes: Uint8Array, by = judge): Promise<unknown> {
  try {
    const { groupIds, group } = await by.judge(groups, bytes);
    return { groupIds, group };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, detail: error.detail };
    throw error;
  }
}

describe('documents that come at the same time', () => {
  test('find the thread that judges them ready when it was started early', async () => {
    const early = await SchemaLibrary.load({ threads: 1 });
    const asked: unknown[] = [];
    const watched = {
      read: early.read.bind(early),
      examine: early.examine.bind(early),
      prepare: (...request: Parameters<typeof early.prepare>) => {
        asked.push(request);
        return early.prepare(...request);
      },
    };
    const by = new DocumentJudge(watched, defaultXmlLimits);
    await by.prepare(groups);
    expect(asked).toEqual([['groups', defaultXmlLimits, groupExaminer]]);
    const verdicts = await Promise.all([verdictOn(Buffer.from(good), by), verdictOn(Buffer.from('<a>'), by)]);
    expect(verdicts).toMatchObject([{ groupIds: ['sip:alpha@red.example'] }, { code: 'not-well-formed' }]);
    await early.close();
  });

  test('get the verdict that each gets alone, whichever thread judges them', async () => {
    const alone: unknown[] = [];
    for (const [, bytes] of cases) alone.push(await verdictOn(bytes));
    const together = await Promise.all(cases.map(([, bytes]) => verdictOn(bytes)));
    const named = (verdicts: readonly unknown[]) => verdicts.map((verdict, at) => [cases[at]?.[0], verdict]);
    expect(named(together)).toEqual(named(alone));
    expect(alone.filter((verdict) => (verdict as { code?: string }).code === undefined)).toHaveLength(2);
  });

  test('are read by the thread that serves only when somebody asks what is in them', async () => {
    const [alone] = await Promise.all([judge.judge(groups, groupDocument({ name: 'alone' }))]);
    const together = await Promise.all(
      ['one', 'two', 'three'].map((name) => judge.judge(groups, groupDocument({ name }))),
    );
    const made = ({ known }: Judged): boolean => known.index !== undefined && known.group !== undefined;
    expect(made(alone)).toBe(true);
    expect(together.map(made)).toEqual([false, false, false]);
    expect(together.map(({ group }) => group?.listServices[0]?.displayName)).toEqual(['one', 'two', 'three']);
    expect(together.map(made)).toEqual([true, true, true]);
  });
});
