import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type GroupFacts, identityPositions, readGroup, readingGroup, serviceOfEnabler } from './group-document.ts';
import { groupOf, groupWithMembers, serviceOf } from './group-samples.testkit.ts';
import { defaultXmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { deleteNode, locatePut, putNode } from './node-edit.ts';
import { bindSelector, parseNodeSelector } from './node-selector.ts';
import type { OffsetIndex } from './offset-index.ts';
import { atOnce } from './turns.ts';
import { readXml } from './xml-document.ts';

function example(number: number): OffsetIndex {
  return readXml(
    readFileSync(new URL(`../../test/examples/example-group-${number}.xml`, import.meta.url)),
    defaultXmlLimits,
  );
}
const factsOf = (bytes: Uint8Array) => readGroup(readXml(bytes, defaultXmlLimits));

describe('group facts', () => {
  test('TS 24.481 7.2: a group of three services with its members and rules', () => {
    const [facts] = readGroup(example(2)).listServices;
    expect(facts).toMatchObject({
      uri: 'sip:joint-flood-2026@red.example',
      displayName: 'Joint flood response & rescue',
      owner: 'Red Civil Protection',
      services: ['mcptt', 'mcvideo', 'mcdata'],
      externals: [],
      regrouped: false,
      temporary: false,
    });
    expect(facts?.members.entries.map(({ element: _, ...entry }) => entry)[0]).toEqual({
      member: 'sip:dispatch1@red.example',
      identities: ['sip:dispatch1@red.example', 'sip:dispatch1.video@red.example', 'sip:dispatch1.data@red.example'],
      uri: 'sip:dispatch1@red.example',
      displayName: 'Red dispatch',
      mcvideoId: 'sip:dispatch1.video@red.example',
      mcdataId: 'sip:dispatch1.data@red.example',
      participantType: 'dispatcher',
      userPriority: 200,
      required: true,
    });
    expect(facts?.enablers).toHaveLength(4);
    expect(facts?.rules.map((rule) => [rule.id, rule.conditions.map((c) => c.kind), rule.actions.length])).toEqual([
      ['r-all-members', ['is-list-member'], 5],
      ['r-dispatch', ['identity'], 10],
      ['r-partner-domain', ['is-list-member', 'identity'], 1],
      ['r-everyone-else', ['other-identity'], 2],
    ]);
  });

  test('other prefixes, tel: members, CDATA, external lists and a regroup marker are read alike', () => {
    const [facts] = readGroup(example(3)).listServices;
    expect(facts).toMatchObject({
      displayName: 'Patrouille frontière № 7',
      services: ['mcptt'],
      externals: ['https://gms.red.example/xcap-root/resource-lists/global/reserve'],
      regrouped: true,
      temporary: false,
    });
    expect(facts?.members.entries.map((e) => [e.uri, e.displayName, e.participantType, e.userPriority])).toEqual([
      ['sip:chief@red.example', 'Chief', 'Dispatcher', 250],
      ['tel:+33612345678', 'Unit <7>', 'first responder', undefined],
      ['sip:jonas@blue.example', undefined, undefined, 90],
      ['sip:amira@green.example', undefined, 'medic', undefined],
    ]);
  });

  test.each<[string, string, readonly string[]]>([
    [
      'all five',
      '<oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt"><oxe:group-media><m:mcptt-speech/></oxe:group-media></oxe:service>',
      ['mcptt'],
    ],
    [
      'no mcptt-speech',
      '<oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt"><oxe:group-media/></oxe:service>',
      [],
    ],
    ['no group-media', '<oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt"/>', []],
    ['MCData by its parts', '<oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcdata.fd"/>', ['mcdata']],
    ['another service', '<oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcpttx"/>', []],
  ])('TS 24.481 7.2.2: a service counts when it is complete: %s', (_, service, wanted) => {
    const facts = factsOf(serviceOf(`<oxe:supported-services>${service}</oxe:supported-services>`));
    expect(facts.listServices[0]?.services).toEqual(wanted);
    expect(facts.listServices[0]?.enablers).toHaveLength(1);
  });

  test('enablers: bare MCData counts, unknown ones do not', () => {
    expect(
      ['urn:urn-7:3gpp-service.ims.icsi.mcdata', ' urn:urn-7:3gpp-service.ims.icsi.mcvideo ', 'urn:x'].map(
        serviceOfEnabler,
      ),
    ).toEqual(['mcdata', 'mcvideo', undefined]);
  });

  test('a document with several list-services, none, or another root', () => {
    expect(
      factsOf(groupOf('<list-service uri="sip:a@x"/><list-service uri="sip:b@x"/>')).listServices.map((s) => s.uri),
    ).toEqual(['sip:a@x', 'sip:b@x']);
    expect(factsOf(groupOf('')).listServices).toEqual([]);
    expect(factsOf(Buffer.from('<group><list-service uri="a"/></group>')).listServices).toEqual([]);
    const [bare] = factsOf(serviceOf('')).listServices;
    expect([bare?.enablers, bare?.listElement, bare?.displayName]).toEqual([undefined, undefined, undefined]);
  });

  test('member identities are canonical and cover MCVideo and MCData IDs', () => {
    const [facts] = factsOf(
      serviceOf(
        '<list><entry uri="SIP:a@RED.example"><m:mcvideo-mcvideo-id uri="sip:%61v@red.example"/><m:mcdata-mcdata-id uri="sip:ad@red.example"/></entry><rl:entry uri="tel:+49-30-1"/><entry uri="not a uri"/></list>',
      ),
    ).listServices;
    if (facts === undefined) throw new Error('no list-service');
    const { members } = facts;
    expect(members.entries.flatMap(({ identities }) => identities)).toEqual([
      'sip:a@red.example',
      'sip:av@red.example',
      'sip:ad@red.example',
      'tel:+49301',
    ]);
    expect(['sip:av@red.example', 'tel:+49301', 'SIP:a@RED.example', 'not a uri'].map((id) => members.has(id))).toEqual(
      [true, true, false, false],
    );
    expect(['red.example', 'blue.example', ''].map((domain) => members.hasDomain(domain))).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('identity positions: entries, MCVideo and MCData ids, one, many, except, in document order', () => {
    const found = [...identityPositions(example(2))].map((p) => `${p.kind} ${p.attribute}=${p.value}`);
    expect(found.slice(0, 3)).toEqual([
      'entry uri=sip:dispatch1@red.example',
      'mcvideo-id uri=sip:dispatch1.video@red.example',
      'mcdata-id uri=sip:dispatch1.data@red.example',
    ]);
    expect(found.slice(9)).toEqual([
      'one id=sip:dispatch1@red.example',
      'one id=sip:lena@blue.example',
      'many-domain domain=blue.example',
      'except id=sip:observer@blue.example',
    ]);
    const rules = serviceOf(
      '<cp:ruleset><cp:rule id="r"><cp:conditions><cp:identity><cp:many><cp:except domain="d"/><cp:except id="a" domain="e"/></cp:many></cp:identity></cp:conditions></cp:rule></cp:ruleset>',
    );
    expect([...identityPositions(readXml(rules, defaultXmlLimits))].map((p) => [p.kind, p.value])).toEqual([
      ['except-domain', 'd'],
      ['except', 'a'],
      ['except-domain', 'e'],
    ]);
  });

  test('10,000 members are read', () => {
    const facts = factsOf(groupWithMembers(10_000)).listServices[0];
    expect(facts?.members.entries).toHaveLength(10_000);
    expect(facts?.members.entries[9_999]).toMatchObject({ uri: 'sip:u9999@blue.example', userPriority: 15 });
  });
});

const before = readXml(groupWithMembers(700), defaultXmlLimits);
const group = readGroup(before);
const longGroup = group.listServices.flatMap(({ members }) => members.entries.flatMap(({ identities }) => identities));

/** Facts with what can be seen of their lists of members. */
function withEntries({ listServices }: GroupFacts): object {
  return listServices.map(({ members, ...facts }) => ({ ...facts, members: members.entries }));
}

/** What lists of members tell of whom they had, have and never had. */
function toldBy({ listServices }: GroupFacts): object {
  const asked = [...longGroup, 'sip:new@red.example', 'sip:x7@0.example', 'sip:x9@1.example', 'sip:no@one'];
  const domains = ['red.example', 'blue.example', '0.example', '1.example', 'x'];
  return listServices.map(({ members }) => ({
    has: asked.map((identity) => [identity, members.has(identity), members.entriesOf(identity)]),
    domains: domains.map((domain) => members.hasDomain(domain)),
  }));
}

describe('facts after an edit', () => {
  const selectorContext = { defaultNamespace: namespaces.listService, bindings: [] };
  const list = ['group', 'list-service', 'list'];

  test.each<[string, readonly string[], string | undefined]>([
    ['a member in the middle replaced', [...list, 'entry[300]'], '<entry uri="sip:new@red.example"/>'],
    ['a member in front of all', [...list, '*[1][@uri="sip:new@red.example"]'], '<entry uri="sip:new@red.example"/>'],
    ['a member behind all', [...list, 'entry[@uri="sip:new@red.example"]'], '<entry uri="sip:new@red.example"/>'],
    [
      'a member deleted by attribute',
      [...list, `entry[@uri="${group.listServices[0]?.members.entries[5]?.uri}"]`],
      undefined,
    ],
    ['the last member deleted', [...list, 'entry[700]'], undefined],
    ['an attribute of a member', [...list, 'entry[2]', '@uri'], '"sip:longer-than-before@red.example"'],
    ['the group ID', ['group', 'list-service', '@uri'], '"sip:b@red.example"'],
    ['the whole list', list, '<list><entry uri="sip:a@red.example"/><external anchor="http://x/"/></list>'],
    ['the list deleted', list, undefined],
  ])('are those of a fresh reading: %s', (_what, segments, body) => {
    const selector = bindSelector(parseNodeSelector(segments), selectorContext);
    const { bytes, index, edit } =
      body === undefined
        ? deleteNode(before, selector, defaultXmlLimits)
        : putNode(before, selector, locatePut(before, selector), Buffer.from(body), { limits: defaultXmlLimits });
    const after = atOnce(readingGroup(index, { index: before, group, edit }));
    expect(withEntries(after)).toEqual(withEntries(factsOf(bytes)));
    expect(toldBy(after)).toEqual(toldBy(factsOf(bytes)));
  });

  test('after a thousand edits one after the other members are counted as in a fresh reading', () => {
    let [index, facts, bytes]: [OffsetIndex, GroupFacts, Uint8Array] = [before, group, before.bytes];
    for (let number = 0; number < 1000; number++) {
      const count = facts.listServices[0]?.members.entries.length ?? 0;
      const deletes = number % 5 === 4;
      // Only behind the last one does the selector name nothing after a deletion
      const segments = [...list, `entry[${deletes ? count : 1 + ((number * 37) % count)}]`];
      const body = `<entry uri="sip:x${number % 3 === 0 ? number : 7}@${number % 2}.example"/>`;
      const selector = bindSelector(parseNodeSelector(segments), selectorContext);
      const edited = deletes
        ? deleteNode(index, selector, defaultXmlLimits)
        : putNode(index, selector, locatePut(index, selector), Buffer.from(body), { limits: defaultXmlLimits });
      facts = atOnce(readingGroup(edited.index, { index, group: facts, edit: edited.edit }));
      [index, bytes] = [edited.index, edited.bytes];
    }
    expect(withEntries(facts)).toEqual(withEntries(factsOf(bytes)));
    expect(toldBy(facts)).toEqual(toldBy(factsOf(bytes)));
  });

  test('a long list is read in slices', () => {
    expect([...readingGroup(before)].length).toBeGreaterThan(1);
  });
});
