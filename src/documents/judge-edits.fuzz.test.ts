// Judging a document by what an edit has touched: never another verdict than that on the whole document. The seed is fixed; `npm run fuzz`
// takes other seeds and more runs.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Refusal } from '../refusals.ts';
import { readGroup } from '../xml/group-document.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { deleteNode, type EditedDocument, locatePut, putNode } from '../xml/node-edit.ts';
import { bindSelector, parseNodeSelector } from '../xml/node-selector.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { SchemaLibrary } from '../xml/schema.ts';
import { readXml } from '../xml/xml-document.ts';
import { builtInUsages, groupsAuid } from './application-usage.ts';
import { groupDocument, membersSeeMembers } from './documents.testkit.ts';
import { DocumentJudge, type Judged } from './judge.ts';

let library: SchemaLibrary;
let schemaRead: number[];

beforeAll(async () => {
  library = await SchemaLibrary.load({ threads: 1 });
});

afterAll(() => library.close());

const usage = builtInUsages.find(({ auid }) => auid === groupsAuid);
if (usage === undefined) throw new Error('there are no groups');
const groups = usage;

const limits = defaultXmlLimits;
// Each run judges long documents several times
const runs = Math.max(12, Number(process.env.FUZZ_RUNS ?? 0) / 100);
const seed = process.env.FUZZ_SEED === undefined ? 20_261_122 : Number(process.env.FUZZ_SEED);
const bindings = [
  { prefix: 'cp', namespace: 'urn:ietf:params:xml:ns:common-policy' },
  { prefix: 'oxe', namespace: 'urn:oma:xml:xdm:extensions' },
];

/** A judge that tells how much the schema was asked about. */
function newJudge(): DocumentJudge {
  const read: SchemaLibrary['read'] = (name, bytes, ...others) => {
    schemaRead.push(bytes.byteLength);
    return library.read(name, bytes, ...others);
  };
  return new DocumentJudge(
    { read, examine: library.examine.bind(library), prepare: library.prepare.bind(library) },
    limits,
  );
}

const members = Array.from({ length: 800 }, (_, number) => `sip:user${number}@red.example`);
const long = groupDocument({ services: ['mcptt', 'mcvideo'], members, rules: membersSeeMembers });

interface Step {
  readonly path: readonly string[];
  /** Undefined = the node is deleted. */
  readonly body: string | undefined;
}

function edited(index: OffsetIndex, { path, body }: Step): EditedDocument {
  const selector = bindSelector(parseNodeSelector(path), {
    defaultNamespace: groups.defaultDocumentNamespace,
    bindings,
  });
  if (body === undefined) return deleteNode(index, selector, limits);
  return putNode(index, selector, locatePut(index, selector), Buffer.from(body), { limits });
}

async function verdictOf(judged: Promise<Judged>): Promise<unknown> {
  try {
    const { groupIds, group } = await judged;
    return { groupIds, members: group?.listServices.map((service) => service.members.entries) };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, phrase: error.phrase, detail: error.detail };
    throw error;
  }
}

const service = ['group', 'list-service'];
const list = [...service, 'list'];
const ids = '<x:mcvideo-mcvideo-id xmlns:x="urn:3gpp:ns:mcpttGroupInfo:1.0" uri="sip:v@red.example"/>';
const rule = '<cp:ruleset><cp:rule id="all-members"/></cp:ruleset>';
const entries = [
  `<entry uri="sip:new@red.example">${ids}</entry>`,
  `<entry uri="sip:new@red.example">${ids}${rule}</entry>`,
  `<entry uri="sip:new@red.example" xml:id="here">${ids}</entry>`,
  `<entry uri="sip:new@red.example">${ids}<t xmlns="urn:t" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="cp:ruleType" id="all-members"/></entry>`,
  `<entry uri="sip:user7@red.example">${ids}</entry>`,
  `<entry uri="SIP:user7@RED.example">${ids}</entry>`,
  '<entry uri="sip:new@red.example"/>',
  `<entry uri="no uri">${ids}</entry>`,
  `<entry>${ids}</entry>`,
  `<entry uri="sip:new@red.example"><entry uri="sip:new@red.example"/></entry>`,
  `<entry uri="sip:new@red.example">${ids}<x:user-priority xmlns:x="urn:3gpp:ns:mcpttGroupInfo:1.0">high</x:user-priority></entry>`,
];
const numbered = fc.integer({ min: 1, max: 800 });
const body = fc.constantFrom(...entries);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ path: numbered.map((at) => [...list, `*[${at}]`]), body }),
  fc.record({ path: numbered.map((at) => [...list, `*[${at}][@uri="sip:new@red.example"]`]), body }),
  fc.record({
    path: numbered.map((at) => [...list, `*[@uri="sip:user${at}@red.example"]`]),
    body: fc.constant(undefined),
  }),
  fc.record({
    path: numbered.map((at) => [...list, `*[${at}]`, '@uri']),
    body: fc.constantFrom('"sip:other@red.example"', '"sip:user9@red.example"', '"other"', '""'),
  }),
  fc.constantFrom<Step>(
    { path: [...list, 'external[1]'], body: '<external anchor="http://other.example/list"/>' },
    { path: [...list, 'external[1]'], body: '<external/>' },
    { path: list, body: `<list>${entries[0]}</list>` },
    { path: [...service, 'display-name'], body: '<display-name>Other</display-name>' },
    { path: [...service, 'display-name'], body: '<display-name><list/></display-name>' },
    { path: [...service, 'display-name'], body: undefined },
    { path: [...service, '@uri'], body: '"sip:beta@red.example"' },
    { path: [...service, '@uri'], body: undefined },
    { path: [...service, 'cp:ruleset', 'cp:rule[2]'], body: '<cp:rule id="all-members"/>' },
    { path: [...service, 'cp:ruleset', 'cp:rule[2]'], body: '<cp:rule id="here"/>' },
    { path: [...service, 'oxe:supported-services'], body: undefined },
    {
      path: [...service, 'oxe:supported-services', 'oxe:service[2]'],
      body: '<oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcdata"/>',
    },
    { path: ['group', 'list-service[2]'], body: '<list-service uri="sip:gamma@red.example"><list/></list-service>' },
  ),
);

test('RFC 4825 8.2.5: an edit of a group is refused and accepted as the document that it makes', async () => {
  let [asked, whole] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
      schemaRead = [];
      const judge = newJudge();
      let index = readXml(long, limits);
      let group = readGroup(index);
      await judge.judge(groups, long);
      for (const one of steps) {
        let document: EditedDocument;
        try {
          document = edited(index, one);
        } catch (error) {
          if (error instanceof Refusal) continue;
          throw error;
        }
        const { bytes, edit } = document;
        const known = { index: document.index, earlier: () => ({ index, group, edit }) };
        schemaRead = [];
        const judged = judge.judge(groups, bytes, known);
        const verdict = await verdictOf(judged);
        asked += schemaRead.reduce((sum, size) => sum + size, 0);
        whole += bytes.byteLength;
        const fresh = newJudge();
        expect(verdict).toEqual(await verdictOf(fresh.judge(groups, Buffer.from(bytes))));
        if ('code' in (verdict as object)) continue;
        [index, group] = [(await judged).index, readGroup((await judged).index)];
      }
    }),
    { numRuns: runs, seed },
  );
  expect(asked).toBeLessThan(whole);
}, 600_000);

test('the schema is asked about the one member that was changed, not about the others', async () => {
  schemaRead = [];
  const judge = newJudge();
  const { index, group } = await judge.judge(groups, long);
  if (group === undefined) throw new Error('no group');
  const { bytes, edit, index: after } = edited(index, { path: [...list, '*[400]'], body: entries[0] });
  await judge.judge(groups, bytes, { index: after, earlier: () => ({ index, group, edit }) });
  const [first = 0, second = 0, ...others] = schemaRead;
  expect([first, others]).toEqual([long.byteLength, []]);
  expect(second).toBeLessThan(4096);
});

test('a document that this process has not judged before is judged whole', async () => {
  schemaRead = [];
  const judge = newJudge();
  // An element that the schema does not know, as if an older one had let it in
  const stored = Buffer.from(Buffer.from(long).toString().replace('<entry ', '<member/><entry '));
  const index = readXml(stored, limits);
  const { bytes, edit, index: after } = edited(index, { path: [...list, '*[400]'], body: entries[0] });
  const known = { index: after, earlier: () => ({ index, group: readGroup(index), edit }) };
  expect(await verdictOf(judge.judge(groups, bytes, known))).toMatchObject({ code: 'schema-validation-error' });
  expect(schemaRead).toEqual([bytes.byteLength]);
});

test('XML Schema 3.3.4: the id of a rule is all that is unique in a group document, so members say nothing of each other', () => {
  const folder = new URL('../../schemas/', import.meta.url);
  const unique =
    /type="xs:(?:ID|IDREFS?|ENTIT(?:Y|IES)|NOTATION)"|base="xs:(?:ID|IDREFS?)"|<xs:(?:unique|key|keyref)\b/g;
  const found = readdirSync(folder)
    .filter((name) => name.endsWith('.xsd'))
    .flatMap((name) => (readFileSync(new URL(name, folder), 'utf8').match(unique) ?? []).map((what) => [name, what]));
  expect(found).toEqual([['common-policy.xsd', 'type="xs:ID"']]);
  const groupsSchema = readFileSync(new URL('groups.xsd', folder), 'utf8');
  expect(groupsSchema).toMatch(/<xs:complexType name="listType">\s*<xs:choice minOccurs="0" maxOccurs="unbounded">/);
});
