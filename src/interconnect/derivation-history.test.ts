// What is served of a foreign group is a function of source, policy and local edits, whatever happened on the way there:
// random histories of sources in any order of arrival, policy versions, rollbacks, local edits and crashes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { byGroup, closeSchemas, groupDocument } from '../documents/documents.testkit.ts';
import { overlayKind } from '../documents/overlay.ts';
import type { Policy } from '../policy/policy.ts';
import { parsePolicy, passThroughPolicy } from '../policy/policy-file.ts';
import { Refusal } from '../refusals.ts';
import { parseNodeSelector } from '../xml/node-selector.ts';
import { admin, type Blue, crash, openBlue, red } from './blue.testkit.ts';
import { TestClock } from './interconnect.testkit.ts';

afterAll(closeSchemas);

const groupId = 'sip:tg@red.example';
const policies: readonly Policy[] = [
  'insert: { into: //g:list-service, element: "<mcpttgi:owner>Red</mcpttgi:owner>" }',
  'members: { keep: [ { served: true }, { uri: "sip:a*@red.example" } ] }',
  'insert: { into: //g:list-service, element: "<mcpttgi:owner>Blue</mcpttgi:owner>" }',
].map((rule, number) =>
  parsePolicy(`policy: from-red\nversion: ${number + 1}\nrules:\n  - { name: r, ${rule} }\n`, 'f'),
);

const members = ['ana', 'ben', 'cleo'].map((name) => `sip:${name}@red.example`);
const sources: readonly Uint8Array[] = [
  groupDocument({ uri: groupId, name: 'first', members: [...members, 'sip:omar@blue.example'] }),
  groupDocument({ uri: groupId, name: 'second', members: members.slice(0, 1) }),
  groupDocument({ uri: groupId, name: 'third', members: [...members.toReversed(), 'sip:nora@blue.example'] }),
  groupDocument({ uri: groupId, name: 'fourth', members: ['sip:ana@red.example', 'sip:nora@blue.example'] }),
];

const entry = (uri: string): string => `group/list-service/list/entry[@uri="${uri}"]`;
interface Edit {
  readonly node: string;
  readonly body?: string;
}
/** Edits that can be made of every state and say the same in each. */
const steady: readonly Edit[] = [
  { node: 'group/list-service/display-name', body: '<display-name>as blue says</display-name>' },
  { node: entry('sip:zoe@blue.example'), body: '<entry uri="sip:zoe@blue.example"/>' },
  { node: 'group/list-service/display-name', body: '<display-name>as blue says now</display-name>' },
];
/** Edits that depend on what is there, and may conflict later. */
const dependent: readonly Edit[] = [
  { node: entry('sip:nora@blue.example'), body: '<entry uri="sip:nora@blue.example"/>' },
  { node: entry('sip:ana@red.example') },
  { node: entry('sip:ben@red.example'), body: '<entry uri="sip:ben@red.example"/>' },
];

type Step =
  | { readonly step: 'source'; readonly number: number }
  | { readonly step: 'policy'; readonly number: number }
  | { readonly step: 'edit'; readonly edit: Edit }
  | { readonly step: 'crash' | 'rollback' | 'withdraw' };

const base = Date.parse('2026-01-02T03:04:05.000Z');
const sentAt = (number: number): string => new Date(base + number * 1000).toISOString();

async function play(blue: Blue, step: Step): Promise<void> {
  try {
    if (step.step === 'source') {
      const body = sources[step.number] ?? new Uint8Array();
      await blue.interconnection.acceptProvision(red, groupId, body, {}, sentAt(step.number));
    } else if (step.step === 'policy') {
      const policy = policies[step.number];
      if (policy !== undefined)
        await blue.versions.activate(policy, { partner: 'red', direction: 'inbound' }, 'operator');
    } else if (step.step === 'rollback') {
      await blue.versions.rollback({ partner: 'red', direction: 'inbound' }, 'operator');
    } else if (step.step === 'withdraw') {
      await blue.interconnection.acceptWithdrawal(red, groupId, {});
    } else if (step.step === 'edit') {
      const { node, body } = step.edit;
      const address = { selector: parseNodeSelector(node.split('/')), bindings: [] };
      const put = async (): Promise<Uint8Array> => Buffer.from(body ?? '');
      if (body === undefined) await blue.documents.deleteNode(admin, byGroup(groupId), address, {});
      else await blue.documents.putNode(admin, byGroup(groupId), address, put, {});
    }
  } catch (error) {
    // What cannot be done in this state is refused and changes nothing.
    if (!(error instanceof Refusal)) throw error;
  }
}

async function inFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'history-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface End {
  readonly served: string | undefined;
  readonly source: Uint8Array | undefined;
  readonly overlay: string | undefined;
  readonly policy: Policy;
}

/** Plays a history with crashes; what waits for no answer runs beside the next steps. */
function ended(history: readonly Step[]): Promise<End> {
  return inFolder(async (folder) => {
    const clock = new TestClock();
    let blue = await openBlue(folder, clock);
    for (const step of history) {
      if (step.step === 'crash') {
        await crash(blue);
        blue = await openBlue(folder, clock);
      } else await play(blue, step);
    }
    await blue.interconnection.idle();
    const end = await endOf(blue);
    // Deriving once more brings the same: it is settled.
    const again = await blue.interconnection.deriveAgain(groupId);
    expect(again?.changed ?? false).toBe(false);
    expect(blue.faults).toEqual([]);
    await blue.interconnection.stop();
    await blue.store.close();
    return end;
  });
}

async function endOf({ documents, store, interconnection }: Blue): Promise<End> {
  const served = await documents.findGroup(groupId);
  const partner = interconnection.extend((context) => context.current().partners.named('red'));
  return {
    served: served === undefined ? undefined : Buffer.from(served.bytes).toString(),
    source: (await documents.findSource(groupId))?.bytes,
    overlay: await store.record(overlayKind, groupId),
    policy: partner?.inbound ?? passThroughPolicy,
  };
}

/** What a system that never saw the history makes of source, policy and local edits. */
function fresh({ source, overlay, policy }: End): Promise<string | undefined> {
  return inFolder(async (folder) => {
    const blue = await openBlue(folder, new TestClock());
    if (policy !== passThroughPolicy) {
      await blue.versions.activate(policy, { partner: 'red', direction: 'inbound' }, 'operator');
    }
    await blue.store.commit({ records: [{ kind: overlayKind, name: groupId, value: overlay }] });
    if (source !== undefined) await blue.interconnection.acceptProvision(red, groupId, source, {});
    const { served } = await endOf(blue);
    await blue.interconnection.stop();
    await blue.store.close();
    return served;
  });
}

const first: Step = { step: 'source', number: 0 };
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.nat({ max: 3 }).map((number): Step => ({ step: 'source', number })) },
  { weight: 2, arbitrary: fc.nat({ max: 2 }).map((number): Step => ({ step: 'policy', number })) },
  { weight: 3, arbitrary: fc.constantFrom(...steady, ...dependent).map((edit): Step => ({ step: 'edit', edit })) },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ step: 'crash' }, { step: 'rollback' }, { step: 'withdraw' }) },
);

test('after any history, what is served is what source, policy and local edits alone make', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 12 }), async (steps) => {
      const end = await ended([first, ...steps]);
      expect(end.served).toBe(await fresh(end));
    }),
    { numRuns: 15 },
  );
}, 60_000);

test('sources in any order of arrival, between policy versions, edits and crashes in any place, end in the same document', async () => {
  const edits = steady.map((edit): Step => ({ step: 'edit', edit }));
  const versions = [1, 0, 2].map((number): Step => ({ step: 'policy', number }));
  const inOrder: Step[] = [
    first,
    ...[1, 2, 3].map((number): Step => ({ step: 'source', number })),
    ...versions,
    ...edits,
  ];
  const expected = (await ended(inOrder)).served;
  expect(expected).toContain('as blue says now');
  expect(expected).toContain('sip:zoe@blue.example');
  expect(expected).toContain('<mcpttgi:owner>Blue</mcpttgi:owner>');
  expect(expected).toContain('sip:nora@blue.example');
  const order = fc.record({
    arrivals: fc.shuffledSubarray([1, 2, 3, 3, 2, 1], { minLength: 6 }),
    lanes: fc.array(fc.constantFrom('source', 'policy', 'edit', 'crash'), { minLength: 14, maxLength: 14 }),
  });
  await fc.assert(
    fc.asyncProperty(order, async ({ arrivals, lanes }) => {
      const queues: Record<string, Step[]> = {
        source: arrivals.map((number): Step => ({ step: 'source', number })),
        policy: [...versions],
        edit: [...edits],
        crash: [{ step: 'crash' }, { step: 'crash' }],
      };
      const history = lanes.flatMap((lane) => queues[lane]?.shift() ?? []);
      const rest = ['edit', 'policy', 'source'].flatMap((lane) => queues[lane] ?? []);
      expect((await ended([first, ...history, ...rest])).served).toBe(expected);
    }),
    { numRuns: 15 },
  );
}, 60_000);
