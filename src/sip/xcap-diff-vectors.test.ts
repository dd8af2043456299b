// The notifier against the sequences of test/vectors/xcap-diff-5875.json: every example of RFC 5875 appendix A and RFC 5874
// appendix A in every mode, over the wire, with faked time.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { builtInUsages } from '../documents/application-usage.ts';
import { closeSchemas, openRoom, type Room } from '../documents/documents.testkit.ts';
import type { Principal } from '../identity/principal.ts';
import { servedUsers } from '../identity/served.ts';
import { sameCanonicalForm } from '../xml/canonical.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { readXcapDiff } from '../xml/received-diff.ts';
import { applyPatch, readPatchOperations } from '../xml/xml-patch.ts';
import type { Clock } from './engine/timer-queue.ts';
import {
  changesOf,
  componentsOf,
  eventually,
  type Received,
  type RunningFace,
  runFace,
  Subscriber,
} from './face.testkit.ts';
import { parseEntry } from './resource-entry.ts';

interface Item {
  readonly type: 'document' | 'element' | 'attribute';
  readonly sel: string;
  readonly newEtag?: string;
  readonly previousEtag?: string;
  readonly exists?: boolean;
  readonly elementXml?: string | null;
  readonly value?: string;
  readonly content?: 'none' | 'patch' | 'body-not-changed';
  readonly patchFrom?: string;
  readonly patchResult?: string;
}

interface Step {
  readonly action: string;
  readonly inDialog?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly entries?: readonly string[] | null;
  readonly status?: number;
  readonly subscriptionState?: string;
  readonly reason?: string;
  readonly items?: readonly Item[];
  readonly answer?: string;
  readonly order?: 'any' | 'chronological';
  readonly path?: string;
  readonly newEtag?: string | null;
  readonly documentAfter?: string | null;
}

interface Sequence {
  readonly id: string;
  readonly section: string;
  readonly description: string;
  readonly storedState: readonly { readonly sel: string; readonly etag: string; readonly body: string }[];
  readonly steps: readonly Step[];
}

/** What these sequences are about is not there, or cannot happen here. */
const outside: Readonly<Record<string, string>> = {
  D27: 'rights change with the document here: see RFC 5875 7 in sip-face.test.ts',
  D38: 'a tag is made from the content: the same content has the same tag',
  D39: 'not a complete group document: the life of one is in sip-face.test.ts',
};

const file = new URL('../../test/vectors/xcap-diff-5875.json', import.meta.url);
const { sequences } = JSON.parse(readFileSync(file, 'utf8')) as { readonly sequences: readonly Sequence[] };
const played = sequences.filter(({ id }) => outside[id] === undefined);

const root = 'http://xcap.example.com/';
const joe = 'sip:joe@example.com';
const served = servedUsers({ domains: ['example.com'], servedUsers: [], awayUsers: [] });

/** Time that stands still until a test lets it pass. */
class StandingClock implements Clock {
  #now = Date.UTC(2026, 10, 22);
  #wakes: { readonly due: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  wakeAfter(delay: number, wake: () => void): () => void {
    const entry = { due: this.#now + delay, wake };
    this.#wakes.push(entry);
    return () => {
      this.#wakes = this.#wakes.filter((other) => other !== entry);
    };
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
    const due = this.#wakes.filter((entry) => entry.due <= this.#now);
    this.#wakes = this.#wakes.filter((entry) => entry.due > this.#now);
    for (const { wake } of due) wake();
  }
}

let room: Room;
let running: RunningFace;
let subscriber: Subscriber;

afterAll(closeSchemas);

/** The tags that documents really got, by `sel` and the tag that the sequence gives them. */
const tags = new Map<string, string>();

async function write(sel: string, body: string | null, etag: string | null): Promise<void> {
  const entry = parseEntry(sel, root);
  if (entry?.kind !== 'resource' || entry.resource.kind !== 'document') throw new Error(`${sel} is no document`);
  const { key } = entry.resource;
  const owner: Principal = { role: 'client', identities: [key.xui] };
  if (body === null) await room.documents.delete(owner, key, {});
  else tags.set(`${sel} ${etag}`, (await room.documents.put(owner, key, Buffer.from(body), {})).tag);
}

/** The items of a sequence; where patches are not asked for, a chain of changes of one document is its first and last tag. */
function expected({ items = [], order }: Step): readonly string[] {
  const bySel = new Map<string, string>();
  const chain: string[] = [];
  const tag = (sel: string, etag: string | undefined): string =>
    etag === undefined ? '-' : (tags.get(`${decodeURIComponent(sel)} ${etag}`) ?? `unknown tag ${etag}`);
  for (const { type, sel, newEtag, previousEtag } of items) {
    if (type !== 'document') continue;
    const before = bySel.get(sel)?.split(' ')[1] ?? tag(sel, previousEtag);
    bySel.set(sel, `${sel} ${before} ${tag(sel, newEtag)}`);
    chain.push(`${sel} ${tag(sel, previousEtag)} ${tag(sel, newEtag)}`);
  }
  return order === 'chronological' ? chain : [...bySel.values()].sort();
}

/** The patches of a NOTIFY do what the sequence says, in its order. */
function checkPatches(notify: Received, items: readonly Item[]): void {
  const carrier = OffsetIndex.of(Buffer.from(notify.body), defaultXmlLimits);
  const documents = readXcapDiff(carrier).components.filter((component) => component.kind === 'document');
  for (const [place, { content, patchFrom = '', patchResult = '' }] of items.entries()) {
    if (content !== 'patch') continue;
    const document = documents[place];
    expect(document?.content).toBe('patch');
    const read = readPatchOperations(carrier, document?.element ?? 0);
    if ('failure' in read) throw new Error(JSON.stringify(read.failure));
    const outcome = applyPatch(OffsetIndex.of(Buffer.from(patchFrom), defaultXmlLimits), read.operations);
    if ('failure' in outcome) throw new Error(JSON.stringify(outcome.failure));
    const result = OffsetIndex.of(Buffer.from(patchResult), defaultXmlLimits);
    expect(sameCanonicalForm(OffsetIndex.of(outcome.patched, defaultXmlLimits), result)).toBe(true);
  }
}

/** Components are told by their latest content. */
function expectedComponents(items: NonNullable<Step['items']>): readonly (readonly [string, string])[] {
  return items
    .filter(({ type }) => type !== 'document')
    .map(
      ({ sel, exists, elementXml, value }) =>
        [sel, exists === false ? 'gone' : (elementXml ?? value ?? 'exists')] as const,
    )
    .sort();
}

async function play(sequence: Sequence): Promise<void> {
  const clock = new StandingClock();
  const plain = ['tests', 'rls-services', 'pidf-manipulation'].map((auid) => ({
    auid,
    mimeType: 'application/xml',
    namespaces: [],
    composed: false,
    ...(auid === 'rls-services' ? { defaultDocumentNamespace: 'urn:ietf:params:xml:ns:rls-services' } : {}),
  }));
  room = await openRoom({ usages: [...builtInUsages, ...plain], served, system: { domains: ['example.com'] } });
  running = await runFace(
    room,
    { xcapRoot: root, gms: 'sip:tests@xcap.example.com', served, clock },
    smallest(sequence),
  );
  subscriber = await Subscriber.open(running.port, joe);
  tags.clear();
  for (const { sel, etag, body } of sequence.storedState) await write(sel, body, etag);
  let response: Received | undefined;
  let notify: Received | undefined;
  for (const step of sequence.steps) {
    if (step.action === 'configure') continue;
    if (step.action === 'subscribe') {
      const { 'Content-Type': type, Expires, ...headers } = step.headers ?? {};
      subscriber.answer = withheldNext(sequence, step) ? '' : '200 OK';
      response = await subscriber.subscribe(step.entries ?? undefined, {
        ...headers,
        Accept: headers.Accept,
        Expires,
        'Content-Type': type,
        ...(headers['Suppress-If-Match'] === undefined ? {} : { 'Suppress-If-Match': notify?.header('SIP-ETag') }),
        'Request-URI': 'sip:tests@xcap.example.com',
      });
    } else if (step.action === 'expectResponse') expect(response?.status).toBe(step.status);
    else if (step.action === 'change') {
      await write((step.path ?? '').replace(/\/~~.*/, ''), step.documentAfter ?? null, step.newEtag ?? null);
    } else if (step.action === 'answerNotify' && notify !== undefined) {
      subscriber.answer = '200 OK';
      subscriber.respond(notify, '200 OK');
      await subscriber.barrier();
    } else if (step.action === 'expectNoNotify') {
      clock.pass(5_000);
      await subscriber.barrier();
      expect(subscriber.untaken).toBe(0);
    } else if (step.action === 'expectNotify') {
      await subscriber.barrier();
      await eventually(() => subscriber.untaken > 0 || isQuiet());
      // RFC 5875 4.10: a change may wait five seconds
      if (subscriber.untaken === 0) clock.pass(5_000);
      notify = await subscriber.notify();
      const state = notify.header('Subscription-State') ?? '';
      expect(state.split(';')[0]).toBe(step.subscriptionState);
      if (step.reason !== undefined) expect(state).toContain(`reason=${step.reason}`);
      const told = [...changesOf(notify)];
      expect(step.order === 'chronological' ? told : told.sort()).toEqual(expected(step));
      checkPatches(notify, step.items ?? []);
      expect([...componentsOf(notify)].sort()).toEqual(expectedComponents(step.items ?? []));
    } else throw new Error(`the step ${step.action} is not known`);
  }
  await subscriber.barrier();
  expect(subscriber.untaken).toBe(0);
}

/** No NOTIFY is being made, or on its way, or waits for its answer. */
function isQuiet(): boolean {
  return running.face.subscriptions().every(({ outstanding }) => !outstanding);
}

/** A frame in which an element of the sequence does not fit, where it wants that. */
function smallest({ steps }: Sequence): { readonly largestFrame?: number } {
  return steps.some(({ action }) => action === 'configure') ? { largestFrame: 2_200 } : {};
}

/** Whether the NOTIFY that follows a SUBSCRIBE is to stay unanswered. */
function withheldNext({ steps }: Sequence, from: Step): boolean {
  return steps.slice(steps.indexOf(from)).find(({ action }) => action === 'expectNotify')?.answer === 'withheld';
}

describe('sequences of documents and components', () => {
  afterEach(async () => {
    subscriber.close();
    await running.stop();
    await room.close();
  });

  test.each(
    played.map(
      (sequence) => [`${sequence.id} RFC 5875 ${sequence.section}: ${sequence.description}`, sequence] as const,
    ),
  )('%s', (_, sequence) => play(sequence));
});

test('every sequence is played or named', () => {
  const ids =
    'D01 D02 D03 D04 D05 D06 D07 D08 D09 D10 D11 D12 D13 D14 D15 D16 D18 D19 D20 D21 D22 D23 D24 D25 D30 D33 D36';
  expect(played.map(({ id }) => id).join(' ')).toBe(ids);
});
