// Group documents that are valid and odd: what a rule is for is found wherever a schema lets it stand, and in time.
import { describe, expect, test } from '@jest/globals';
import { applyRules, blue, groupDocument, policyText, withPolicyFolder } from './policy.testkit.ts';

const own = '<entry uri="sip:ines@blue.example"/>';
const theirs = 'sip:omar@red.example';

/** Places outside of `list` where an identity of red may stand in a valid document. */
const odd: readonly (readonly [string, string])[] = [
  ['an entry behind the list', `<list>${own}</list><rl:entry uri="${theirs}"/>`],
  ['a list of RFC 4826', `<list>${own}</list><rl:list><rl:entry uri="${theirs}"/></rl:list>`],
  ['a list in an extension', `<list>${own}</list><m:anyExt><list><entry uri="${theirs}"/></list></m:anyExt>`],
  ['an entry in an extension of the list', `<list>${own}<m:anyExt><entry uri="${theirs}"/></m:anyExt></list>`],
  ['an entry in an entry', `<list><entry uri="sip:ines@blue.example"><rl:entry uri="${theirs}"/></entry></list>`],
  ['a prefix of its own', `<list>${own}<x:entry xmlns:x="urn:oma:xml:poc:list-service" uri="${theirs}"/></list>`],
  ['an entry with character references', `<list>${own}<entry uri="&#x73;ip:omar&#64;RED.example"/></list>`],
  [
    'an entry between comments',
    `<list><!-- <entry uri="x"/> -->${own}<?p <entry?><entry xml:base="http://x/" uri="${theirs}"/></list>`,
  ],
  ['a service ID of no entry', `<list>${own}</list><m:anyExt><m:mcdata-mcdata-id uri="${theirs}"/></m:anyExt>`],
];
const inEntry = (inside: string): string => `<list><entry uri="sip:ines@blue.example">${inside}</entry></list>`;

describe('identities in odd places', () => {
  test.each(odd)('members takes out %s', async (_, children) => {
    const { text } = await applyRules(['members: { keep: [ { served: true } ] }'], groupDocument(children));
    expect(text.replace('sip:g@red.example', '')).not.toMatch(/omar|RED\.example/);
    expect(text.includes('sip:ines@blue.example')).toBe(true);
  });

  test('members takes an entry out with the ID of another system in an extension', async () => {
    const inside = `<m:anyExt><m:anyExt><m:mcvideo-mcvideo-id uri="${theirs}"/></m:anyExt></m:anyExt>`;
    const { text } = await applyRules(['members: { keep: [ { served: true } ] }'], groupDocument(inEntry(inside)));
    expect(text).toContain('<list></list>');
  });

  test.each([
    ...odd,
    ['an ID in an extension', inEntry(`<m:anyExt><m:mcvideo-mcvideo-id uri="${theirs}"/></m:anyExt>`)] as const,
  ])('rewrite and pseudonym find %s', async (_, children) => {
    const rewrite = `rewrite: { identities: true, pattern: "^sip:(.*)@red.example$", with: "sip:$1@new.example" }`;
    const { text } = await applyRules([rewrite], groupDocument(children));
    expect(text).toContain('uri="sip:omar@new.example"');
    const files = {
      'policy.yaml': policyText(['pseudonym: { members: { domain: red.example } }']),
      'pseudonym.key': 'a key that is long enough\n',
    };
    await withPolicyFolder(files, async (_folder, load) => {
      const policy = await load();
      const hidden = Buffer.from((await policy.apply(Buffer.from(groupDocument(children)), blue)).bytes).toString();
      expect(hidden).toMatch(/uri="sip:p-\w+@red\.example\.pseudonym\.invalid"/);
      expect(hidden).not.toMatch(/omar/);
    });
  });

  test('what names members elsewhere refuses wherever it stands', async () => {
    for (const children of [
      `<list>${own}</list><m:anyExt><external anchor="http://red.example/"/></m:anyExt>`,
      `<list>${own}</list><rl:list><rl:list><rl:entry uri="${theirs}"/></rl:list></rl:list>`,
    ]) {
      const applied = applyRules(['members: { keep: [ { served: true } ] }'], groupDocument(children));
      await expect(applied).rejects.toThrow('names members that this document does not list');
    }
  });

  test('services takes the service of an entry out once, also with entries inside', async () => {
    const inside = `<m:mcvideo-x><rl:entry uri="sip:ines@blue.example"><m:mcvideo-y/></rl:entry></m:mcvideo-x>`;
    const { text } = await applyRules(
      ['services: { drop: [mcvideo] }'],
      groupDocument(inEntry(inside), ['mcptt', 'mcvideo']),
    );
    expect(text).toContain('<entry uri="sip:ines@blue.example"></entry>');
  });
});

const actions = '<m:allow-MCPTT-emergency-call>true</m:allow-MCPTT-emergency-call>';
const ruleset = (...conditions: readonly string[]): string =>
  `<cp:ruleset>${conditions
    .map(
      (condition, number) =>
        `<cp:rule id="r${number}"><cp:conditions>${condition}</cp:conditions><cp:actions>${actions}</cp:actions></cp:rule>`,
    )
    .join('')}</cp:ruleset>`;
const deny = (whom: string): string => `permissions: { for: { ${whom} }, deny: [allow-MCPTT-emergency-call] }`;

describe('permissions', () => {
  const dotted = [
    '<cp:many domain="red.example."/>',
    '<cp:one id="sip:omar@red.example."/>',
    '<cp:many domain="RED.example"/>',
  ];
  test.each(dotted)('deny what is granted to the domain by %s', async (matcher) => {
    const document = groupDocument(ruleset(`<cp:identity>${matcher}</cp:identity>`));
    const { text } = await applyRules([deny('domain: red.example')], document);
    expect(text).not.toContain('allow-MCPTT-emergency-call');
  });

  test('an action with the prefix of a selection is meant in its namespace alone', async () => {
    const both = '<allow-initiate-conference>true</allow-initiate-conference><m:join-handling>true</m:join-handling>';
    const document = groupDocument(
      ruleset('<cp:identity><cp:one id="sip:omar@red.example"/></cp:identity>').replace(actions, both),
    );
    const denied = async (name: string): Promise<string> => {
      const { text } = await applyRules([`permissions: { for: { domain: red.example }, deny: ["${name}"] }`], document);
      return text;
    };
    expect(await denied('mcpttgi:allow-initiate-conference')).toContain('allow-initiate-conference');
    expect(await denied('g:allow-initiate-conference')).not.toContain('allow-initiate-conference');
    expect(await denied('join-handling')).toContain('m:join-handling');
    expect(await denied('mcpttgi:join-handling')).not.toContain('join-handling');
  });
});

describe('rules over many members and many conditions take time in proportion to both', () => {
  const count = 5000;
  const list = `<list>${Array.from({ length: count }, (_, number) => `<entry uri="sip:u${number}@blue.example"/>\n`).join('')}</list>`;
  const excepts = Array.from({ length: count }, (_, number) => `<cp:except id="sip:v${number}@blue.example"/>`).join(
    '',
  );
  const ones = Array.from({ length: count }, (_, number) => `<cp:one id="sip:w${number}@red.example"/>`).join('');
  const many = '<cp:identity><cp:many domain="blue.example"/></cp:identity>';

  const hostile: readonly (readonly [string, string, string])[] = [
    [
      'a cp:many with an exception for each',
      deny('domain: blue.example, except: desk'),
      `<cp:identity><cp:many>${excepts}</cp:many></cp:identity>`,
    ],
    [
      'a cp:many with exceptions by pattern',
      deny('uri: "sip:u1*@blue.example"'),
      `<cp:identity><cp:many>${excepts}</cp:many></cp:identity>`,
    ],
    ['a cp:one for each', 'members: { keep: [ { served: true } ] }', `<cp:identity>${ones}</cp:identity>`],
  ];
  async function usedBy(rule: string, document: string): Promise<number> {
    const before = process.cpuUsage();
    // A refusal is as good as a result: neither may take long.
    await applyRules([rule], document).catch(() => undefined);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  }

  test.each(hostile)('%s', async (_, rule, condition) => {
    expect(await usedBy(rule, groupDocument(`${list}${ruleset(condition)}`))).toBeLessThan(1500);
  });

  test('thousands of rules', async () => {
    const document = groupDocument(`${list}${ruleset(...Array.from({ length: 1500 }, () => many))}`);
    expect(await usedBy(deny('domain: blue.example, except: desk'), document)).toBeLessThan(1500);
  });

  test('a group that would grow by each member for each rule is refused', async () => {
    const desks = list.replaceAll('"/>', '"><m:participant-type>desk</m:participant-type></entry>');
    const document = groupDocument(`${desks}${ruleset(...Array.from({ length: 1500 }, () => many))}`);
    await expect(applyRules([deny('domain: blue.example, except: desk')], document)).rejects.toThrow(
      'would make it too large',
    );
  });
});
