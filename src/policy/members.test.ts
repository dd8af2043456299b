import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { applyRules, groupDocument } from './policy.testkit.ts';

const served = 'members: { keep: [ { served: true } ] }';

const list = (...entries: readonly string[]): string =>
  `    <list>\n${entries.map((entry) => `      ${entry}\n`).join('')}    </list>`;

const entry = (uri: string, children = ''): string => `<entry uri="${uri}">${children}</entry>`;

const type = (text: string): string => `<m:participant-type>${text}</m:participant-type>`;

function rules(...conditions: readonly string[]): string {
  const all = conditions.map(
    (condition, position) =>
      `      <cp:rule id="r${position + 1}"><cp:conditions>${condition}</cp:conditions><cp:actions><m:allow-imminent-peril-call>true</m:allow-imminent-peril-call></cp:actions></cp:rule>\n`,
  );
  return `    <cp:ruleset>\n${all.join('')}    </cp:ruleset>`;
}

const identity = (...children: readonly string[]): string => `<cp:identity>${children.join('')}</cp:identity>`;

const uris = (text: string): readonly string[] =>
  [...text.matchAll(/<entry uri="([^"]*)"/g)].map((match) => match[1] ?? '');

describe('members keeps entries by what is known of them', () => {
  const document = groupDocument(
    list(
      entry('sip:ines@red.example', type('  First   Responder ')),
      entry('sip:omar@blue.example'),
      entry('sip:guest@red.example'),
      entry('sip:gone@blue.example'),
      entry('tel:+33612345678'),
    ),
  );

  test('served: users of this system and guests, without those who are away; whole lines go', async () => {
    const { text } = await applyRules([served], document);
    expect(text).toBe(groupDocument(list(entry('sip:omar@blue.example'), entry('sip:guest@red.example'))));
  });

  test('domain is exact, and a tel: URI has none', async () => {
    const { text } = await applyRules(['members: { keep: [ { domain: Red.Example } ] }'], document);
    expect(uris(text)).toEqual(['sip:ines@red.example', 'sip:guest@red.example']);
    expect(uris((await applyRules(['members: { keep: [ { domain: example } ] }'], document)).text)).toEqual([]);
  });

  test('participantType compares without case and white space', async () => {
    const { text } = await applyRules(['members: { keep: [ { participantType: first responder } ] }'], document);
    expect(uris(text)).toEqual(['sip:ines@red.example']);
  });

  test('uri is a pattern over canonical URIs', async () => {
    const { text } = await applyRules(
      ["members: { keep: [ { uri: 'tel:+33*' }, { uri: 'sip:o*@blue.example' } ] }"],
      document,
    );
    expect(uris(text)).toEqual(['sip:omar@blue.example', 'tel:+33612345678']);
  });

  test('keys of one item must all fit, items are alternatives', async () => {
    const both = 'members: { keep: [ { domain: red.example, participantType: first responder }, { uri: "tel:*" } ] }';
    expect(uris((await applyRules([both], document)).text)).toEqual(['sip:ines@red.example', 'tel:+33612345678']);
  });

  test('limit keeps the first in document order', async () => {
    const { text } = await applyRules(['members: { keep: [ { served: true } ], limit: 1 }'], document);
    expect(uris(text)).toEqual(['sip:omar@blue.example']);
  });

  test('entries on one line leave no gaps in the others', async () => {
    const line = groupDocument(`    <list>${entry('sip:a@red.example')}${entry('sip:b@blue.example')}</list>`);
    expect((await applyRules([served], line)).text).toContain(`<list>${entry('sip:b@blue.example')}</list>`);
  });

  test('10,000 members are filtered in linear time', async () => {
    const many = Array.from({ length: 10_000 }, (_, i) => entry(`sip:u${i}@${i % 2 === 0 ? 'red' : 'blue'}.example`));
    const started = performance.now();
    const { derivation } = await applyRules([served], groupDocument(list(...many)));
    expect(derivation.applied[0]?.changes).toHaveLength(5000);
    expect(derivation.applied[0]?.changes.at(-1)?.path).toBe('group/list-service/list/entry[9999]');
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('members acts on every identity position', () => {
  test('an entry stays only when its MCVideo and MCData IDs fit too', async () => {
    const document = groupDocument(
      list(
        entry('sip:a@blue.example', '<m:mcvideo-mcvideo-id uri="sip:spy@red.example"/>'),
        entry('sip:b@blue.example', '<m:mcdata-mcdata-id uri="sip:b.data@blue.example"/>'),
      ),
    );
    expect(uris((await applyRules([served], document)).text)).toEqual(['sip:b@blue.example']);
  });

  test('cp:one of a removed member goes, also by its MCData ID', async () => {
    const document = groupDocument(
      `${list(entry('sip:a@blue.example'), entry('sip:x@red.example', '<m:mcdata-mcdata-id uri="sip:x.data@blue.example"/>'))}
${rules(identity('<cp:one id="sip:a@blue.example"/>', '<cp:one id="sip:x.data@blue.example"/>', '<cp:one id="SIP:x@RED.example"/>'))}`,
    );
    const { text } = await applyRules([served], document);
    expect(text).toContain('<cp:identity><cp:one id="sip:a@blue.example"/></cp:identity>');
  });

  test('participantType alone keeps no identity that the list does not have', async () => {
    const document = groupDocument(
      `${list(entry('sip:chief@red.example', type('dispatcher')))}
${rules(identity('<cp:one id="sip:chief@red.example"/>', '<cp:one id="sip:other@red.example"/>'))}`,
    );
    const { text } = await applyRules(['members: { keep: [ { participantType: dispatcher } ] }'], document);
    expect(text).toContain('<cp:identity><cp:one id="sip:chief@red.example"/></cp:identity>');
  });

  test('cp:many stays for a domain that is kept as a whole', async () => {
    const document = groupDocument(
      rules(identity('<cp:many domain="red.example"/>', '<cp:many domain="BLUE.example"/>'), identity('<cp:many/>')),
    );
    const { text } = await applyRules([served], document);
    expect(text).toContain('<cp:identity><cp:many domain="BLUE.example"/></cp:identity>');
    expect(text).toContain('<cp:identity><cp:many/></cp:identity>');
    const some = "members: { keep: [ { uri: 'sip:omar@blue.example' } ] }";
    expect((await applyRules([some], document)).text).not.toContain('domain=');
    const all = "members: { keep: [ { uri: 'sip:*@blue.example' } ] }";
    expect((await applyRules([all], document)).text).toContain('<cp:many domain="BLUE.example"/>');
  });

  test('external lists cannot be filtered: refused', async () => {
    const document = readFileSync(new URL('../../test/examples/example-group-3.xml', import.meta.url), 'utf8');
    await expect(applyRules([served], document)).rejects.toMatchObject({
      code: 'constraint-failure',
      message:
        'The policy rule "rule 1": external names members that this document does not list, so they cannot be filtered',
    });
  });

  test('ocp:external-list and unknown kinds of identity cannot be filtered: refused', async () => {
    for (const condition of ['<ocp:external-list/>', identity('<x:somebody xmlns:x="urn:x"/>')]) {
      await expect(applyRules([served], groupDocument(rules(condition)))).rejects.toMatchObject({
        code: 'constraint-failure',
      });
    }
  });
});

describe('members never widens rights (RFC 4745 clauses 7.1 and 10)', () => {
  test('a rule whose only identities vanish goes as a whole', async () => {
    const document = groupDocument(
      rules(
        identity('<cp:one id="sip:a@red.example"/>'),
        `<is-list-member/>${identity('<cp:many domain="red.example"/>')}`,
      ),
    );
    const { text } = await applyRules([served], document);
    expect(text).toBe(groupDocument('    <cp:ruleset>\n    </cp:ruleset>'));
  });

  test('of two identity conditions, one that vanishes takes the rule', async () => {
    const both = `${identity('<cp:one id="sip:a@blue.example"/>')}${identity('<cp:one id="sip:a@red.example"/>')}`;
    expect((await applyRules([served], groupDocument(rules(both)))).text).not.toContain('cp:rule ');
  });

  test('except of a kept domain stays, even when its member left the list', async () => {
    const many = '<cp:many domain="blue.example"><cp:except id="sip:gone@blue.example"/></cp:many>';
    const document = groupDocument(
      `${list(entry('sip:gone@blue.example'), entry('sip:b@blue.example'))}\n${rules(identity(many))}`,
    );
    expect((await applyRules([served], document)).text).toContain(many);
  });

  test('except that has no effect on its domain goes alone', async () => {
    const many =
      '<cp:many domain="blue.example"><cp:except id="sip:x@red.example"/><cp:except id="tel:+331"/></cp:many>';
    expect((await applyRules([served], groupDocument(rules(identity(many))))).text).toContain(
      '<cp:many domain="blue.example"></cp:many>',
    );
  });

  test('except without a domain around it takes its cp:many along when it may not stay', async () => {
    const kept = '<cp:many><cp:except id="sip:b@blue.example"/></cp:many>';
    const withheld = '<cp:many><cp:except domain="red.example"/></cp:many>';
    const { text } = await applyRules([served], groupDocument(rules(identity(kept), identity(withheld))));
    expect(text).toContain(kept);
    expect(text).not.toContain('id="r2"');
  });

  test('a rule for all others that grants something goes when anybody leaves', async () => {
    const others = '<ocp:other-identity/>';
    const leaving = `${list(entry('sip:x@red.example'))}\n${rules(others)}`;
    expect((await applyRules([served], groupDocument(leaving))).text).not.toContain('other-identity');
    const harmless = leaving.replace('>true<', '>false<');
    expect((await applyRules([served], groupDocument(harmless))).text).toContain('other-identity');
    const nobody = `${list(entry('sip:b@blue.example'))}\n${rules(others)}`;
    expect((await applyRules([served], groupDocument(nobody))).text).toContain('other-identity');
  });

  test('the rules of an example survive exactly as far as their identities do', async () => {
    const document = readFileSync(new URL('../../test/examples/example-group-2.xml', import.meta.url), 'utf8');
    const { text } = await applyRules([served], document);
    expect(text).not.toContain('dispatch1@red.example');
    expect(text).toContain('<cp:one id="sip:lena@blue.example"/>');
    expect(text).toContain('<cp:except id="sip:observer@blue.example"/>');
    expect([...text.matchAll(/<cp:rule id="([^"]*)"/g)].map((match) => match[1])).toEqual([
      'r-all-members',
      'r-dispatch',
      'r-partner-domain',
      'r-everyone-else',
    ]);
  });
});
