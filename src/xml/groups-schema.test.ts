import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  groupExtensions,
  groupOf,
  groupWithMembers,
  memberExtensions,
  memberOf,
  ruleActions,
  ruleOf,
  serviceOf,
} from './group-samples.testkit.ts';
import { SchemaLibrary } from './schema.ts';

let library: SchemaLibrary;
beforeAll(async () => {
  library = await SchemaLibrary.load();
});
afterAll(() => library.close());

async function verdict(bytes: Uint8Array): Promise<'valid' | 'invalid'> {
  return (await library.validate('groups', bytes)).length === 0 ? 'valid' : 'invalid';
}

type Content = readonly [attributes: string, content: string];
interface Kind {
  readonly good: readonly Content[];
  readonly bad: readonly Content[];
}
const text = (...values: string[]): readonly Content[] => values.map((value) => ['', value] as const);
const constituents =
  '<m:constituent-MCPTT-group-IDs><m:constituent-MCPTT-group-ID>sip:c@red.example</m:constituent-MCPTT-group-ID></m:constituent-MCPTT-group-IDs>';
const marks = 'temporary-MCPTT-group-ID="sip:t@red.example" temporary-MCPTT-group-requestor="sip:a@red.example"';
const later = '<m:anyExt><m:of-a-later-release>x</m:of-a-later-release><x:y/></m:anyExt>';

/** What each kind of content accepts and refuses, TS 24.481 7.2.4.2 and XML Schema part 2. */
const kinds: Readonly<Record<string, Kind>> = {
  priority: { good: text('0', '255', ' 7 '), bad: text('256', '-1', '1.5', '', 'high', '<m:owner/>') },
  boolean: { good: text('true', 'false', '1', '0', ' true\n'), bad: text('TRUE', 'yes', '2', '', '<m:owner/>') },
  duration: {
    good: text('PT30S', 'PT1M30S', 'PT0.5S', 'P1DT2H', 'P24855DT3H14M7S'),
    bad: text('30', 'PT', 'P', '1H', 'P1S', 'PT1.5H', ''),
  },
  empty: { good: [...text('', '<!-- -->'), ['x:a="1"', '']], bad: text('x', 'true', '<m:owner/>') },
  string: { good: text('any text', '', 'Ünïcode &amp; more'), bad: text('<m:owner/>', '<x:y/>') },
  integer: { good: text('0', '65536', '10000000000'), bad: text('1.5', 'many', '', '0x10') },
  nonNegative: { good: text('0', '65536'), bad: text('-1', '', 'x') },
  unsignedShort: { good: text('0', '65535'), bad: text('65536', '-1', '') },
  uriReference: {
    good: [
      ['uri="sip:v@red.example"', ''],
      ['uri="tel:+123" x:a="1"', later],
    ],
    bad: [
      ['', ''],
      ['x:uri="sip:v@red.example"', ''],
      ['uri="sip:v@red.example"', 'text'],
      ['uri="sip:%zz"', ''],
    ],
  },
  encodings: {
    good: [
      ['', '<m:encoding name="EVS"/>'],
      ['', `<m:encoding name="EVS"/><m:encoding name="AMR-WB"/>${later}<x:y/>`],
      ['', '<m:encoding name="EVS"/><m:of-a-later-release/>'],
    ],
    bad: [
      ['', ''],
      ['', '<m:encoding/>'],
      ['', '<m:encoding name="EVS"/><m:encoding/>'],
      ['', 'EVS'],
      ['', later],
    ],
  },
  open: {
    good: [...text('', '25', '<m:resolution>720p</m:resolution><x:y/>')],
    bad: text('<m:user-priority>256</m:user-priority>', '<m:encoding/>'),
  },
  temporary: {
    good: [
      ['', constituents],
      ['', `${constituents}${later}<x:y/>`],
      ['', '<m:constituent-MCPTT-group-IDs/>'],
    ],
    bad: [
      ['', ''],
      ['', 'text'],
      ['', '<m:constituent-MCPTT-group-IDs>sip:c@red.example</m:constituent-MCPTT-group-IDs>'],
      ['', `${later}${constituents}`],
    ],
  },
  regrouped: {
    good: [
      [marks, constituents],
      [
        marks,
        `${constituents}<m:on-network-group-priority>255</m:on-network-group-priority><m:protect-media>0</m:protect-media>` +
          `<m:protect-floor-control-signalling>1</m:protect-floor-control-signalling><m:require-multicast-floor-control-signalling/>${later}<x:y/>`,
      ],
      [marks, `${constituents}<m:of-a-later-release/>`],
    ],
    bad: [
      ['', constituents],
      ['temporary-MCPTT-group-ID="sip:t@red.example"', constituents],
      ['temporary-MCPTT-group-requestor="sip:t@red.example"', constituents],
      [marks, ''],
      [marks, `<m:protect-media>0</m:protect-media>${constituents}`],
      [marks, `${constituents}<m:on-network-group-priority>256</m:on-network-group-priority>`],
      [marks, `${constituents}<m:protect-media>maybe</m:protect-media>`],
      [marks, `${constituents}<m:protect-floor-control-signalling/>`],
      [
        marks,
        `${constituents}<m:require-multicast-floor-control-signalling>1</m:require-multicast-floor-control-signalling>`,
      ],
    ],
  },
};

function casesOf(extensions: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(extensions).flatMap(([kind, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name): [string, string] => [name, kind]),
  );
}

async function judgeElement(name: string, kind: string, within: (element: string) => Uint8Array): Promise<void> {
  const { good, bad } = kinds[kind] ?? { good: [], bad: [] };
  expect(Math.min(good.length, bad.length)).toBeGreaterThan(0);
  for (const [wanted, contents] of [
    ['valid', good],
    ['invalid', bad],
  ] as const) {
    for (const [attributes, content] of contents) {
      const element = `<m:${name} ${attributes}>${content}</m:${name}>`;
      expect([element, await verdict(within(element))]).toEqual([element, wanted]);
    }
  }
}

describe('group schema', () => {
  test.each(casesOf(memberExtensions))('TS 24.481 7.2.4.2: member extension %s is %s', async (name, kind) => {
    await judgeElement(name, kind, memberOf);
  });

  test.each(casesOf(groupExtensions))('TS 24.481 7.2.4.2: group extension %s is %s', async (name, kind) => {
    await judgeElement(name, kind, serviceOf);
  });

  test.each(casesOf({ boolean: ruleActions }))('TS 24.481 7.2.4.2: action %s is %s', async (name, kind) => {
    await judgeElement(name, kind, (element) => ruleOf(`<cp:actions>${element}</cp:actions>`));
  });

  test.each(['mcptt-speech', 'mcvideo-video-media'])('TS 24.481 7.2.8: group media %s is empty', async (name) => {
    await judgeElement(name, 'empty', (element) =>
      serviceOf(
        `<oxe:supported-services><oxe:service enabler="urn:x"><oxe:group-media>${element}</oxe:group-media></oxe:service></oxe:supported-services>`,
      ),
    );
  });

  test.each<[string, Uint8Array, 'valid' | 'invalid']>([
    ['no list-service', groupOf(''), 'invalid'],
    ['two list-services', groupOf('<list-service uri="a"/><list-service uri="b"/>'), 'valid'],
    ['list-service without uri', groupOf('<list-service/>'), 'invalid'],
    ['list-service with a foreign attribute', groupOf('<list-service uri="a" x:b="c"/>'), 'valid'],
    ['list-service with an unknown attribute of no namespace', groupOf('<list-service uri="a" b="c"/>'), 'invalid'],
    ['list-service of another namespace', groupOf('<x:list-service uri="a"/>'), 'invalid'],
    ['empty list-service', serviceOf(''), 'valid'],
    ['text in a list-service', serviceOf('text'), 'invalid'],
    [
      'all four in order',
      serviceOf(
        '<display-name/><list/><invite-members>1</invite-members><max-participant-count>3</max-participant-count><m:owner/>',
      ),
      'valid',
    ],
    ['list before display-name', serviceOf('<list/><display-name/>'), 'invalid'],
    ['invite-members before list', serviceOf('<invite-members>1</invite-members><list/>'), 'invalid'],
    [
      'max-participant-count before invite-members',
      serviceOf('<max-participant-count>3</max-participant-count><invite-members>1</invite-members>'),
      'invalid',
    ],
    ['extension before list', serviceOf('<m:owner/><list/>'), 'invalid'],
    ['ruleset before list', serviceOf('<cp:ruleset/><list/>'), 'invalid'],
    ['two display-names', serviceOf('<display-name/><display-name/>'), 'invalid'],
    ['two lists', serviceOf('<list/><list/>'), 'invalid'],
    [
      'extensions in any order',
      serviceOf(
        '<m:owner/><cp:ruleset/><x:y/><oxe:supported-services/><m:multi-talker-control>0</m:multi-talker-control>',
      ),
      'valid',
    ],
    ['unknown element of the list-service namespace', serviceOf('<unknown/>'), 'invalid'],
    ['element of no namespace', serviceOf('<y xmlns=""/>'), 'invalid'],
    ['invite-members no boolean', serviceOf('<invite-members>yes</invite-members>'), 'invalid'],
    ['max-participant-count negative', serviceOf('<max-participant-count>-1</max-participant-count>'), 'invalid'],
    ['display-name with language', serviceOf('<display-name xml:lang="en-GB">x</display-name>'), 'valid'],
    [
      'display-name with an impossible language',
      serviceOf('<display-name xml:lang="not a language">x</display-name>'),
      'invalid',
    ],
    ['display-name with an element', serviceOf('<display-name><b/></display-name>'), 'invalid'],
    [
      'entry and external in any order',
      serviceOf('<list><entry uri="a"/><external anchor="http://b"/><entry uri="c"/></list>'),
      'valid',
    ],
    ['entry without uri', serviceOf('<list><entry/></list>'), 'invalid'],
    ['entry of the resource-lists namespace', serviceOf('<list><rl:entry uri="a"/></list>'), 'valid'],
    ['entry uri that is no URI', serviceOf('<list><entry uri="sip:%zz"/></list>'), 'invalid'],
    ['external without anchor', serviceOf('<list><external/></list>'), 'invalid'],
    ['list inside a list', serviceOf('<list><list/></list>'), 'invalid'],
    ['rl:display-name in an entry', memberOf('<rl:display-name xml:lang="de">Ä</rl:display-name>'), 'valid'],
    ['rl:display-name with an element', memberOf('<rl:display-name><b/></rl:display-name>'), 'invalid'],
    ['list-service display-name in an entry', memberOf('<display-name>x</display-name>'), 'invalid'],
    ['text in an entry', memberOf('text'), 'invalid'],
  ])('OMA XDM Group, structure: %s', async (_, bytes, wanted) => {
    expect(await verdict(bytes)).toBe(wanted);
  });

  test.each<[string, Uint8Array, 'valid' | 'invalid']>([
    ['unknown mcpttgi element in a list-service', serviceOf('<m:unknown a="b"><m:c>d</m:c></m:unknown>'), 'valid'],
    ['unknown mcpttgi element in an entry', memberOf('<m:unknown>1</m:unknown>'), 'valid'],
    ['unknown mcpttgi action', ruleOf('<cp:actions><m:unknown>1</m:unknown></cp:actions>'), 'valid'],
    ['unknown mcpttgi element in anyExt', serviceOf(later), 'valid'],
    ['unknown namespace', serviceOf('<x:y><x:z/></x:y>'), 'valid'],
    [
      'known element inside an unknown mcpttgi one',
      serviceOf('<m:unknown><m:user-priority>256</m:user-priority></m:unknown>'),
      'invalid',
    ],
    [
      'known element inside an unknown namespace',
      serviceOf('<x:y><m:user-priority>256</m:user-priority></x:y>'),
      'invalid',
    ],
    [
      'known element inside anyExt',
      serviceOf('<m:anyExt><m:protect-media>maybe</m:protect-media></m:anyExt>'),
      'invalid',
    ],
    ['member extension in the list-service', serviceOf('<m:user-priority>256</m:user-priority>'), 'invalid'],
    [
      'type changed by xsi:type',
      serviceOf(
        '<m:owner xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="http://www.w3.org/2001/XMLSchema" xsi:type="xs:integer">x</m:owner>',
      ),
      'invalid',
    ],
    [
      'schema named by the document',
      serviceOf(
        '<x:y xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:example:other schema:///groups.xsd"/>',
      ),
      'valid',
    ],
  ])('TS 24.481 7.2.7: elements of later releases pass, known ones are checked: %s', async (_, bytes, wanted) => {
    expect(await verdict(bytes)).toBe(wanted);
  });

  test.each<[string, string, 'valid' | 'invalid']>([
    ['no content', '', 'valid'],
    ['all three in order', '<cp:conditions/><cp:actions/><cp:transformations/>', 'valid'],
    ['actions before conditions', '<cp:actions/><cp:conditions/>', 'invalid'],
    ['transformations before actions', '<cp:transformations/><cp:actions/>', 'invalid'],
    ['two conditions', '<cp:conditions/><cp:conditions/>', 'invalid'],
    ['is-list-member', '<cp:conditions><is-list-member/></cp:conditions>', 'valid'],
    ['is-list-member with content', '<cp:conditions><is-list-member>1</is-list-member></cp:conditions>', 'invalid'],
    ['other-identity', '<cp:conditions><ocp:other-identity/></cp:conditions>', 'valid'],
    [
      'other-identity with content',
      '<cp:conditions><ocp:other-identity>1</ocp:other-identity></cp:conditions>',
      'invalid',
    ],
    ['anonymous-request', '<cp:conditions><ocp:anonymous-request/></cp:conditions>', 'valid'],
    [
      'anonymous-request with content',
      '<cp:conditions><ocp:anonymous-request><x:y/></ocp:anonymous-request></cp:conditions>',
      'invalid',
    ],
    [
      'external-list',
      '<cp:conditions><ocp:external-list><ocp:entry anc="http://a"/></ocp:external-list></cp:conditions>',
      'valid',
    ],
    ['external-list with text', '<cp:conditions><ocp:external-list>a</ocp:external-list></cp:conditions>', 'invalid'],
    ['unknown condition', '<cp:conditions><x:moon phase="full"/></cp:conditions>', 'valid'],
    ['unknown condition of common policy', '<cp:conditions><cp:moon/></cp:conditions>', 'invalid'],
    [
      'identities',
      '<cp:conditions><cp:identity><cp:one id="sip:a@b"/><cp:many/><cp:many domain="d"><cp:except id="e"/><cp:except domain="f"/></cp:many><x:y/></cp:identity></cp:conditions>',
      'valid',
    ],
    ['empty identity', '<cp:conditions><cp:identity/></cp:conditions>', 'invalid'],
    ['one without id', '<cp:conditions><cp:identity><cp:one/></cp:identity></cp:conditions>', 'invalid'],
    ['except outside many', '<cp:conditions><cp:identity><cp:except id="a"/></cp:identity></cp:conditions>', 'invalid'],
    [
      'except with content',
      '<cp:conditions><cp:identity><cp:many><cp:except id="a">x</cp:except></cp:many></cp:identity></cp:conditions>',
      'invalid',
    ],
    ['sphere', '<cp:conditions><cp:sphere value="work"/></cp:conditions>', 'valid'],
    ['sphere without value', '<cp:conditions><cp:sphere/></cp:conditions>', 'invalid'],
    [
      'validity',
      '<cp:conditions><cp:validity><cp:from>2026-01-01T00:00:00Z</cp:from><cp:until>2026-02-01T00:00:00Z</cp:until></cp:validity></cp:conditions>',
      'valid',
    ],
    [
      'validity without until',
      '<cp:conditions><cp:validity><cp:from>2026-01-01T00:00:00Z</cp:from></cp:validity></cp:conditions>',
      'invalid',
    ],
    [
      'validity that is no time',
      '<cp:conditions><cp:validity><cp:from>now</cp:from><cp:until>later</cp:until></cp:validity></cp:conditions>',
      'invalid',
    ],
    [
      'allow-initiate-conference',
      '<cp:actions><allow-initiate-conference>1</allow-initiate-conference></cp:actions>',
      'valid',
    ],
    [
      'allow-initiate-conference no boolean',
      '<cp:actions><allow-initiate-conference>pass</allow-initiate-conference></cp:actions>',
      'invalid',
    ],
    ['join-handling', '<cp:actions><join-handling>false</join-handling></cp:actions>', 'valid'],
    ['join-handling no boolean', '<cp:actions><join-handling/></cp:actions>', 'invalid'],
    [
      'lower-cased action is another, unknown one',
      '<cp:actions><m:allow-mcptt-emergency-call>maybe</m:allow-mcptt-emergency-call></cp:actions>',
      'valid',
    ],
  ])('RFC 4745 13: rule: %s', async (_, content, wanted) => {
    expect(await verdict(ruleOf(content))).toBe(wanted);
  });

  test.each<[string, string, 'valid' | 'invalid']>([
    ['two ids', '<cp:rule id="a"/><cp:rule id="b"/>', 'valid'],
    ['missing', '<cp:rule/>', 'invalid'],
    ['no NCName', '<cp:rule id="1"/>', 'invalid'],
    ['with a colon', '<cp:rule id="a:b"/>', 'invalid'],
    ['twice', '<cp:rule id="a"/><cp:rule id="a"/>', 'invalid'],
  ])('RFC 4745 13: rule id is an xs:ID: %s', async (_, rules, wanted) => {
    expect(await verdict(serviceOf(`<cp:ruleset>${rules}</cp:ruleset>`))).toBe(wanted);
  });

  test.each<[string, string, 'valid' | 'invalid']>([
    ['none', '', 'valid'],
    [
      'two services',
      '<oxe:service enabler="urn:a"/><oxe:service enabler="urn:b"><oxe:group-media><m:mcptt-speech/></oxe:group-media></oxe:service>',
      'valid',
    ],
    ['service without enabler', '<oxe:service/>', 'invalid'],
    ['group-media twice', '<oxe:service enabler="urn:a"><oxe:group-media/><oxe:group-media/></oxe:service>', 'invalid'],
    [
      'text in group-media',
      '<oxe:service enabler="urn:a"><oxe:group-media>speech</oxe:group-media></oxe:service>',
      'invalid',
    ],
    [
      'all-services-except',
      '<oxe:all-services-except><oxe:service enabler="urn:a"/></oxe:all-services-except>',
      'valid',
    ],
    ['all-services-except with text', '<oxe:all-services-except>a</oxe:all-services-except>', 'invalid'],
  ])('OMA XDM extensions: supported-services: %s', async (_, content, wanted) => {
    expect(await verdict(serviceOf(`<oxe:supported-services>${content}</oxe:supported-services>`))).toBe(wanted);
  });

  test.each([1, 2, 3])('example group %i is valid', async (number) => {
    const bytes = readFileSync(new URL(`../../test/examples/example-group-${number}.xml`, import.meta.url));
    expect(await library.validate('groups', bytes)).toEqual([]);
  });

  test('a group of 10,000 members is valid, and one wrong priority in it is found', async () => {
    expect(await library.validate('groups', groupWithMembers(10_000))).toEqual([]);
    const source = Buffer.from(groupWithMembers(10_000)).toString();
    const broken = source.replace('<m:user-priority>15</m:user-priority>', '<m:user-priority>999</m:user-priority>');
    const problems = await library.validate('groups', Buffer.from(broken));
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]).toMatchObject({
      message: expect.stringContaining('user-priority'),
      path: expect.stringContaining('[16]'),
    });
  });
});
