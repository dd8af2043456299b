import { describe, expect, test } from '@jest/globals';
import { isGranted, readRules } from '../xml/common-policy.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { namespaces } from '../xml/names.ts';
import { readXml } from '../xml/xml-document.ts';
import { applyRules, groupDocument } from './policy.testkit.ts';

const call = 'allow-MCPTT-emergency-call';
const alert = 'allow-MCPTT-emergency-alert';
const list = `    <list>
      <entry uri="sip:lead@blue.example"><m:participant-type>Team Lead</m:participant-type></entry>
      <entry uri="sip:omar@blue.example"/>
      <entry uri="sip:ines@red.example"/>
      <entry uri="sip:guest@red.example"/>
    </list>`;
const rule = (id: string, conditions: string, ...actions: readonly string[]): string =>
  `<cp:rule id="${id}">${conditions === '' ? '' : `<cp:conditions>${conditions}</cp:conditions>`}<cp:actions>${actions.map((name) => `<m:${name}>true</m:${name}>`).join('')}</cp:actions></cp:rule>`;
const identity = (...matchers: readonly string[]): string => `<cp:identity>${matchers.join('')}</cp:identity>`;
const documentOf = (...rules: readonly string[]): string =>
  groupDocument(`${list}\n    <cp:ruleset>${rules.join('')}</cp:ruleset>`);

const users: readonly (readonly [string, boolean])[] = [
  ['sip:lead@blue.example', true],
  ['sip:omar@blue.example', true],
  ['sip:ines@red.example', true],
  ['sip:guest@red.example', true],
  ['sip:other@blue.example', false],
  ['sip:other@red.example', false],
  ['sip:other@green.example', false],
  ['', false],
];

/** Who has an action: everybody above, by what the rules of a document say. */
function holders(text: string, action: string): readonly string[] {
  const index = readXml(Buffer.from(text), defaultXmlLimits);
  const [listService = 0] = index.childrenNamed(index.root, namespaces.listService, 'list-service');
  const rules = index
    .childrenNamed(listService, namespaces.commonPolicy, 'ruleset')
    .flatMap((ruleset) => readRules(index, ruleset));
  return users
    .filter(([user, isListMember]) =>
      isGranted(
        rules,
        { identities: user === '' ? [] : [user], isListMember, now: 0 },
        namespaces.mcpttGroupInfo,
        action,
      ),
    )
    .map(([user]) => user);
}

const everyone = users.map(([user]) => user);
const members = users.filter(([, isMember]) => isMember).map(([user]) => user);
const blueUsers = (user: string): boolean => user.endsWith('@blue.example');

describe('permissions: RFC 4745 only grants, so a rule that covers more users than the change is split', () => {
  const denial = `permissions: { for: { domain: blue.example }, deny: [${call}] }`;
  const shapes: readonly (readonly [string, string])[] = [
    ['all members', '<is-list-member/>'],
    ['everybody', ''],
    ['everybody who is authenticated', identity('<cp:many/>')],
    ['a domain', identity('<cp:many domain="blue.example"/>')],
    ['another domain', identity('<cp:many domain="red.example"/>')],
    [
      'a domain with exceptions',
      identity('<cp:many domain="blue.example"><cp:except id="sip:omar@blue.example"/></cp:many>'),
    ],
    ['named users', identity('<cp:one id="sip:omar@blue.example"/>', '<cp:one id="sip:ines@red.example"/>')],
    ['users and domains', identity('<cp:one id="sip:ines@red.example"/>', '<cp:many domain="blue.example"/>')],
    ['all but a domain', identity('<cp:many><cp:except domain="green.example"/></cp:many>')],
    ['members of a domain', `<is-list-member/>${identity('<cp:many domain="red.example"/>')}`],
    [
      'named members',
      `<is-list-member/>${identity('<cp:one id="sip:lead@blue.example"/>', '<cp:one id="sip:guest@red.example"/>')}`,
    ],
    ['nobody known', '<ocp:anonymous-request/>'],
  ];

  test.each(shapes)('deny takes it from the domain alone: %s', async (_name, conditions) => {
    const document = documentOf(rule('r', conditions, call, alert));
    const { text } = await applyRules([denial], document);
    expect(holders(text, call)).toEqual(holders(document, call).filter((user) => !blueUsers(user)));
    expect(holders(text, alert)).toEqual(holders(document, alert));
  });

  const leads = `permissions: { for: { domain: blue.example, except: team lead }, deny: [${call}] }`;
  test.each(shapes)('all of a domain but its leads: %s', async (_name, conditions) => {
    const document = documentOf(rule('r', conditions, call, alert));
    const { text } = await applyRules([leads], document);
    const kept = (user: string): boolean => !blueUsers(user) || user === 'sip:lead@blue.example';
    expect(holders(text, call)).toEqual(holders(document, call).filter(kept));
    expect(holders(text, alert)).toEqual(holders(document, alert));
  });

  const typed = `permissions: { for: { participantType: team lead }, deny: [${call}] }`;
  test.each(shapes)('one participant type: %s', async (_name, conditions) => {
    const document = documentOf(rule('r', conditions, call, alert));
    const { text } = await applyRules([typed], document);
    expect(holders(text, call)).toEqual(holders(document, call).filter((user) => user !== 'sip:lead@blue.example'));
    expect(holders(text, alert)).toEqual(holders(document, alert));
  });

  test('users by pattern, and users served here, among members', async () => {
    const document = documentOf(rule('r', '<is-list-member/>', call));
    const byPattern = await applyRules([`permissions: { for: { uri: "sip:o*@*" }, deny: [${call}] }`], document);
    expect(holders(byPattern.text, call)).toEqual(members.filter((user) => !user.startsWith('sip:o')));
    const served = await applyRules([`permissions: { for: { served: true }, deny: [${call}] }`], document);
    expect(holders(served.text, call)).toEqual(['sip:ines@red.example']);
  });

  test('a rule that covers nobody of them is not touched, byte for byte', async () => {
    const document = documentOf(rule('r', identity('<cp:many domain="red.example"/>'), call));
    expect((await applyRules([denial], document)).text).toBe(document);
  });

  test('new rules have IDs that the document does not have', async () => {
    const document = documentOf(rule('r', '<is-list-member/>', call, alert), rule('r-2', '<is-list-member/>', alert));
    const { text } = await applyRules([denial], document);
    expect([...text.matchAll(/<cp:rule id="([^"]*)"/g)].map(([, id]) => id)).toEqual(['r', 'r-3', 'r-2']);
  });

  const listPolicy = 'urn:oma:xml:poc:list-service';
  const commonPolicy = 'urn:ietf:params:xml:ns:common-policy';
  const groupInfo = 'urn:3gpp:ns:mcpttGroupInfo:1.0';
  const declared: readonly (readonly [string, string])[] = [
    [
      'a default namespace at the rule',
      `<rule xmlns="${commonPolicy}" id="r"><conditions><is-list-member xmlns="${listPolicy}"/></conditions><actions><m:${call}>true</m:${call}></actions></rule>`,
    ],
    [
      'prefixes at the rule and its actions',
      `<k:rule xmlns:k="${commonPolicy}" xmlns:l="${listPolicy}" id="r"><k:conditions><l:is-list-member/></k:conditions><k:actions xmlns:z="${groupInfo}"><z:${call}>true</z:${call}></k:actions></k:rule>`,
    ],
    [
      'prefixes at conditions and identity',
      `<cp:rule id="r"><c:conditions xmlns:c="${commonPolicy}"><c:identity xmlns:d="${commonPolicy}"><d:one id="sip:ines@red.example"/><d:many/></c:identity></c:conditions><cp:actions><m:${call}>true</m:${call}></cp:actions></cp:rule>`,
    ],
    [
      'default namespaces at identity, and one taken away',
      `<cp:rule id="r"><cp:conditions xmlns=""><identity xmlns="${commonPolicy}"><many><except domain="green.example"/></many></identity></cp:conditions><cp:actions xmlns="${groupInfo}"><${call}>true</${call}></cp:actions></cp:rule>`,
    ],
  ];
  test.each(declared)('the new rule means what the old one meant: %s', async (_name, markup) => {
    const document = documentOf(markup);
    expect(holders(document, call)).toContain('sip:omar@blue.example');
    const { text } = await applyRules([denial], document);
    expect(holders(text, call)).toEqual(holders(document, call).filter((user) => !blueUsers(user)));
    expect(holders(text, call)).toContain('sip:ines@red.example');
  });

  test('what is granted to whoever no other rule names does not shrink when rules are split', async () => {
    const document = documentOf(rule('r', '<is-list-member/>', call), rule('o', '<ocp:other-identity/>', alert));
    const { text } = await applyRules([denial], document);
    expect(holders(text, call)).toEqual(members.filter((user) => !blueUsers(user)));
    expect(holders(text, alert)).toEqual(holders(document, alert));
    const others = documentOf(rule('o', '<ocp:other-identity/>', call, alert));
    await expect(applyRules([denial], others)).rejects.toMatchObject({
      message: expect.stringContaining('cannot be split') as unknown,
    });
  });

  test('false grants nothing and stays; anyExt is looked into', async () => {
    const document = documentOf(
      '<cp:rule id="r"><cp:conditions><is-list-member/></cp:conditions><cp:actions><m:allow-imminent-peril-call>false</m:allow-imminent-peril-call><m:anyExt><m:allow-new-thing>true</m:allow-new-thing></m:anyExt></cp:actions></cp:rule>',
    );
    const { text } = await applyRules(
      ['permissions: { for: { domain: blue.example }, deny: [allow-imminent-peril-call, allow-new-thing] }'],
      document,
    );
    expect(text).toContain('<m:allow-imminent-peril-call>false</m:allow-imminent-peril-call><m:anyExt></m:anyExt>');
    expect(text).toContain('<cp:many><cp:except domain="blue.example"/></cp:many>');
  });

  test('members that the list does not name refuse where they would have to be named', async () => {
    const document = groupDocument(
      `    <list><external anchor="https://x.example/l"/></list>\n    <cp:ruleset>${rule('r', '<is-list-member/>', call)}</cp:ruleset>`,
    );
    await expect(applyRules([leads], document)).rejects.toMatchObject({ code: 'constraint-failure' });
    const { text } = await applyRules([denial], document);
    expect(text).toContain('<cp:except domain="blue.example"/>');
  });
});

describe('allow gives an action to members among the users', () => {
  const gifts: readonly (readonly [string, readonly string[]])[] = [
    ['{ domain: blue.example }', ['sip:lead@blue.example', 'sip:omar@blue.example']],
    ['{ domain: blue.example, except: [Team Lead] }', ['sip:omar@blue.example']],
    ['{ participantType: team lead }', ['sip:lead@blue.example']],
    ['{ served: true }', ['sip:lead@blue.example', 'sip:omar@blue.example', 'sip:guest@red.example']],
    ['{ domain: green.example }', []],
  ];
  test.each(gifts)('%s', async (who, expected) => {
    const gift = `permissions: { for: ${who}, allow: [${call}, join-handling] }`;
    const others = rule('o', '<ocp:other-identity/>', alert);
    const withMembers = documentOf(others, rule('m', '<is-list-member/>', alert));
    for (const document of [withMembers, documentOf(), groupDocument(list)]) {
      const { text } = await applyRules([gift], document);
      expect(holders(text, call)).toEqual(expected);
      expect(holders(text, alert)).toEqual(holders(document, alert));
    }
    if (expected.length === 0) return;
    await expect(applyRules([gift], documentOf(others))).rejects.toMatchObject({
      message: expect.stringContaining('would lose them') as unknown,
    });
  });

  test('deny for all and allow for some say "leads only"', async () => {
    const document = documentOf(rule('r', '<is-list-member/>', call));
    const { text } = await applyRules(
      [
        `permissions: { for: { domain: blue.example }, deny: [${call}] }`,
        `permissions: { for: { domain: blue.example, participantType: team lead }, allow: [${call}] }`,
      ],
      document,
    );
    expect(holders(text, call)).toEqual(members.filter((user) => user !== 'sip:omar@blue.example'));
  });
});

test('everybody holds what a rule without conditions grants', () => {
  expect(holders(documentOf(rule('r', '', call)), call)).toEqual(everyone);
});
