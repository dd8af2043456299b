import { describe, expect, test } from '@jest/globals';
import { applyRules, blue, groupDocument, policyText, problemsOf, withPolicyFolder } from './policy.testkit.ts';
import { pseudonymSeal } from './pseudonym-seal.ts';

const list = (...entries: readonly string[]): string => `    <list>${entries.join('')}</list>`;
const entry = (uri: string, children = ''): string => `<entry uri="${uri}">${children}</entry>`;
const type = (text: string): string => `<m:participant-type>${text}</m:participant-type>`;
const ids = (uri: string): string => `<m:mcvideo-mcvideo-id uri="${uri}"/><m:mcdata-mcdata-id uri="${uri}"/>`;
const rule = (...matchers: readonly string[]): string =>
  `    <cp:ruleset><cp:rule id="r"><cp:conditions><cp:identity>${matchers.join('')}</cp:identity></cp:conditions></cp:rule></cp:ruleset>`;

describe('rewrite with identities: true reaches every identity position', () => {
  const moved = 'rewrite: { identities: true, pattern: "^sip:(.*)@old\\\\.example$", with: "sip:$1@blue.example" }';

  test('entries, MCVideo and MCData IDs, cp:one, cp:except, cp:many; nothing else', async () => {
    const document = groupDocument(
      `${list(entry('SIP:Ines@OLD.example', ids('sip:ines.v@old.example')), entry('sip:a@red.example'))}
    <!-- sip:ines@old.example -->
    <m:owner>sip:ines@old.example</m:owner>
${rule('<cp:one id="sip:Ines@old.example"/>', '<cp:many domain="Old.example"><cp:except id="sip:x@old.example"/></cp:many>', '<cp:many><cp:except domain="old.example"/></cp:many>')}`,
    );
    const { text, derivation } = await applyRules([moved], document);
    expect(text).toBe(
      document
        .replace('SIP:Ines@OLD.example', 'sip:Ines@blue.example')
        .replaceAll('sip:ines.v@old.example', 'sip:ines.v@blue.example')
        .replace('"sip:Ines@old.example"', '"sip:Ines@blue.example"')
        .replace('"Old.example"', '"blue.example"')
        .replace('sip:x@old.example', 'sip:x@blue.example')
        .replace('except domain="old.example"', 'except domain="blue.example"'),
    );
    expect(derivation.applied[0]?.changes[0]).toEqual({
      path: 'group/list-service/list/entry[1]/@uri',
      before: 'uri="SIP:Ines@OLD.example"',
      after: 'uri="sip:Ines@blue.example"',
    });
  });

  test.each([
    ['external', list('<external anchor="https://x.example/l"/>'), /external names members/],
    ['entry-ref', list('<rl:entry-ref ref="a"/>'), /entry-ref names members/],
    ['a nested list', list('<rl:list/>'), /list names members/],
    [
      'an external list in a rule',
      rule('<cp:one id="sip:a@b"/>').replace('<cp:identity>', '<ocp:external-list/><cp:identity>'),
      /external-list/,
    ],
    ['an unknown kind of identity', rule('<m:everyone/>'), /everyone/],
    ['an identity that is no URI', list(entry('nobody')), /names nobody by a URI/],
    ['a result that is no URI', list(entry('sip:a@old.example')), /which is no URI/],
  ])('what it cannot resolve refuses: %s', async (name, content, phrase) => {
    const rules = name.startsWith('a result')
      ? ['rewrite: { identities: true, pattern: "^.*$", with: "x y" }']
      : [moved];
    await expect(applyRules(rules, groupDocument(content))).rejects.toMatchObject({
      code: 'constraint-failure',
      message: expect.stringMatching(phrase) as unknown,
    });
  });

  test('a domain of whose users only some are rewritten refuses', async () => {
    const some =
      'rewrite: { identities: true, pattern: "^sip:([0-9]+)@old\\\\.example$", with: "sip:$1@blue.example" }';
    await expect(applyRules([some], groupDocument(rule('<cp:many domain="old.example"/>')))).rejects.toMatchObject({
      message: expect.stringContaining('of whom the pattern rewrites only some') as unknown,
    });
  });

  test.each([['sips:a@old.example'], ['sip:a@old.example:5060'], ['sip:a@old.example;user=phone']])(
    'so does a domain of which the pattern leaves a user of the group where it is: %s',
    async (uri) => {
      const grant = rule('<cp:many domain="old.example"/>');
      await expect(applyRules([moved], groupDocument(`${list(entry(uri))}\n${grant}`))).rejects.toMatchObject({
        message: expect.stringContaining('of whom the pattern rewrites only some') as unknown,
      });
    },
  );

  test('a new spelling of users inside their domain leaves grants to the domain as they are', async () => {
    const prefix =
      'rewrite: { identities: true, pattern: "^sip:(.*)@old\\\\.example$", with: "sip:rail-$1@old.example" }';
    const document = groupDocument(`${list(entry('sip:7@old.example'))}\n${rule('<cp:many domain="old.example"/>')}`);
    expect((await applyRules([prefix], document)).text).toBe(document.replace('sip:7@', 'sip:rail-7@'));
  });

  test('with select it acts on the selected texts alone', async () => {
    const document = groupDocument(`${list(entry('sip:a@red.example'))}\n    <m:owner>Unit 7 North</m:owner>`);
    const { text } = await applyRules(
      ['rewrite: { select: //mcpttgi:owner, pattern: "Unit (\\\\d+)", with: "Team $1" }'],
      document,
    );
    expect(text).toBe(document.replace('Unit 7', 'Team 7'));
  });

  test('regroup markers pass, and change only with endToEnd', async () => {
    const document = groupDocument(
      '    <m:on-network-regrouped temporary-MCPTT-group-ID="sip:t@old.example" temporary-MCPTT-group-requestor="sip:c@old.example"/>',
    );
    expect((await applyRules([moved], document)).text).toBe(document);
    expect((await applyRules([`endToEnd: true, ${moved}`], document)).text).toBe(
      document.replace('sip:c@old.example', 'sip:c@blue.example'),
    );
  });
});

describe('pseudonym withholds names', () => {
  const withheld = 'pseudonym: { members: { domain: red.example, except: dispatcher } }';
  const key = 'a key of at least sixteen characters';
  const seal = pseudonymSeal(Buffer.from(key), 'red.example.pseudonym.invalid');

  async function withhold(document: string, rules = [withheld]): Promise<string> {
    return withPolicyFolder({ 'policy.yaml': policyText(rules), 'pseudonym.key': `${key}\n` }, async (_, load) => {
      const { bytes } = await (await load()).apply(Buffer.from(document), blue);
      return Buffer.from(bytes).toString();
    });
  }

  test.each([
    'SIP:InEs@RED.example',
    'sips:ines@red.example',
    'sip:%69nes@red.example',
    'sip:ines@red.example.',
    'sip:ines@red.example:5060;user=phone',
    'mailto:ines@red.example',
    'im:ines@Red.example',
    'xmpp:ines@red.example/desk',
    'tel:7042;phone-context=red.example',
  ])('in whatever way an identity of the domain is written: %s', async (identity) => {
    const document = groupDocument(
      `${list(entry(identity, ids(identity)))}\n${rule(`<cp:one id="${identity}"/>`, `<cp:many><cp:except id="${identity}"/></cp:many>`)}`,
    );
    const text = await withhold(document);
    expect(text.match(/="sip:p-[a-z2-7]+@red\.example\.pseudonym\.invalid"/g)).toHaveLength(5);
    expect(text).not.toContain(identity);
  });

  test('identities of other domains stay, in other schemes, too', async () => {
    const document = groupDocument(
      list(entry('mailto:red.example@blue.example'), entry('tel:+4930;ext=1'), entry('tel:7;phone-context=+49')),
    );
    expect(await withhold(document)).toBe(document);
  });

  test('display names in extensions of an entry go, too', async () => {
    const inner = '<rl:display-name>Ines <rl:display-name>I.</rl:display-name></rl:display-name>';
    const document = groupDocument(list(entry('sip:ines@red.example', `<m:anyExt>${inner}</m:anyExt>`)));
    expect(await withhold(document)).not.toContain('display-name');
  });

  test('a grant to the domain written as fully qualified becomes one to the pseudonyms', async () => {
    expect(await withhold(groupDocument(rule('<cp:many domain="RED.example."/>')))).toContain(
      '<cp:many domain="red.example.pseudonym.invalid"/>',
    );
  });

  test('every identity of the domain but those of dispatchers, in every position; display names of entries go', async () => {
    const document = groupDocument(
      `${list(
        entry('sip:ines@red.example', `<rl:display-name>Ines</rl:display-name>${ids('sip:ines.v@red.example')}`),
        entry('sip:desk@red.example', `<rl:display-name>Desk</rl:display-name>${type(' Dispatcher')}`),
        entry('sip:omar@blue.example', '<rl:display-name>Omar</rl:display-name>'),
      )}\n${rule('<cp:one id="sip:Ines@red.example"/>', '<cp:one id="sip:ines@red.example"/>', '<cp:one id="sip:desk@red.example"/>')}`,
    );
    const ines = seal.seal('sip:ines@red.example');
    expect(await withhold(document)).toBe(
      document
        .replaceAll('"sip:ines@red.example"', `"${ines}"`)
        .replaceAll('sip:ines.v@red.example', seal.seal('sip:ines.v@red.example'))
        .replace('sip:Ines@red.example', seal.seal('sip:Ines@red.example'))
        .replace('<rl:display-name>Ines</rl:display-name>', ''),
    );
  });

  test('grants to the domain go to the pseudonyms, and stay for those who keep their names', async () => {
    const many = '<cp:many domain="red.example"><cp:except id="sip:x@red.example"/></cp:many>';
    const x = seal.seal('sip:x@red.example');
    const alone = await withhold(groupDocument(rule(many)));
    expect(alone).toContain(`<cp:many domain="red.example.pseudonym.invalid"><cp:except id="${x}"/></cp:many>`);
    expect(alone).not.toMatch(/domain="red\.example"|@red\.example"\/>/);
    const withDesk = await withhold(
      groupDocument(`${list(entry('sip:desk@red.example', type('dispatcher')))}\n${rule(many)}`),
    );
    expect(withDesk).toContain(
      `<cp:many domain="red.example"></cp:many><cp:many domain="red.example.pseudonym.invalid"><cp:except id="${x}"/></cp:many>`,
    );
  });

  test('what is added to rules is written in the namespace of what it stands beside', async () => {
    const common = 'urn:ietf:params:xml:ns:common-policy';
    const desk = list(entry('sip:desk@red.example', type('dispatcher')));
    const x = seal.seal('sip:x@red.example');
    const many = `<many xmlns="${common}" domain="red.example"><k:except xmlns:k="${common}" id="sip:x@red.example"/></many>`;
    expect(await withhold(groupDocument(`${desk}\n${rule(many)}`))).toContain(
      `<many xmlns="${common}" domain="red.example.pseudonym.invalid"><except id="${x}"/></many>`,
    );
    const except = `<cp:many><k:except xmlns:k="${common}" domain="red.example"/></cp:many>`;
    expect(await withhold(groupDocument(`${desk}\n${rule(except)}`))).toContain(
      `<k:except xmlns:k="${common}" domain="red.example.pseudonym.invalid"/></cp:many>`,
    );
  });

  test('a missing usual key is made once, readable by its owner alone; a missing named one is a problem', async () => {
    await withPolicyFolder({ 'policy.yaml': policyText([withheld]) }, async (folder, load) => {
      const { readFile, stat } = await import('node:fs/promises');
      const first = (await load()).digest;
      expect((await stat(`${folder}/pseudonym.key`)).mode & 0o777).toBe(0o600);
      expect((await load()).digest).toBe(first);
      expect(await readFile(`${folder}/pseudonym.key`, 'utf8')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    });
    const named = 'pseudonym: { members: { domain: red.example }, key: mine.key }';
    const problems = await withPolicyFolder({ 'policy.yaml': policyText([named]) }, (_, load) => problemsOf(load));
    expect(problems).toEqual(['policy.yaml:4: rules[0].pseudonym: rule "rule 1": the key mine.key does not exist']);
  });
});

describe('pseudonyms are stable, keyed and reversible by the key alone', () => {
  const one = pseudonymSeal(Buffer.from('key one, key one'), 'hidden.example');
  const other = pseudonymSeal(Buffer.from('key two, key two'), 'hidden.example');

  test('the same identity has the same pseudonym; another identity or key has another', () => {
    const pseudonym = one.seal('sip:ines@red.example');
    expect(one.seal('sip:ines@red.example')).toBe(pseudonym);
    expect(other.seal('sip:ines@red.example')).not.toBe(pseudonym);
    expect(one.seal('sip:inez@red.example')).not.toBe(pseudonym);
    expect(pseudonym).toMatch(/^sip:p-[a-z2-7]+@hidden\.example$/);
    expect(one.seal('sip:i@red.example')).toHaveLength(pseudonym.length);
  });

  test('the key reveals, another does not, and what was changed is recognised', () => {
    for (const identity of ['sip:ines@red.example', 'tel:+4912345', `sip:${'x'.repeat(300)}@red.example`]) {
      const pseudonym = one.seal(identity);
      expect(one.reveal(pseudonym)).toBe(identity);
      expect(one.reveal(pseudonym.toUpperCase().replace('SIP:P', 'sip:p'))).toBe(identity);
      expect(other.reveal(pseudonym)).toBeUndefined();
      expect(one.reveal(pseudonym.replace(/p-./, (start) => (start === 'p-a' ? 'p-b' : 'p-a')))).toBeUndefined();
    }
    expect(one.reveal('sip:ines@red.example')).toBeUndefined();
    expect(one.reveal('sip:p-aaaa@hidden.example')).toBeUndefined();
  });
});
