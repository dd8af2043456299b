import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { applyRules, groupDocument, policyText } from './policy.testkit.ts';
import { parsePolicy } from './policy-file.ts';
import { unmatchedSelections } from './unmatched.ts';

const owner = '    <m:owner>Red</m:owner>';

describe('set, remove and insert act on what an XPath selects', () => {
  test('set replaces the text of elements, escaped, and keeps all other bytes', async () => {
    const document = groupDocument(owner);
    const { text } = await applyRules(["set: { select: //mcpttgi:owner, value: 'Blue & Co' }"], document);
    expect(text).toBe(document.replace('>Red<', '>Blue &amp; Co<'));
  });

  test('set fills an empty tag', async () => {
    const { text } = await applyRules(['set: { select: //mcpttgi:owner, value: Blue }'], groupDocument('<m:owner/>'));
    expect(text).toContain('<m:owner>Blue</m:owner>');
  });

  test('set replaces attribute values within their quotes', async () => {
    const document = groupDocument("<list><entry uri='sip:a@red.example'/></list>");
    const { text } = await applyRules(['set: { select: //g:entry/@uri, value: "sip:o\'b@red.example" }'], document);
    expect(text).toContain("<entry uri='sip:o&apos;b@red.example'/>");
  });

  test('set on an element and its text acts once', async () => {
    const { text } = await applyRules(
      ["set: { select: '//mcpttgi:owner | //mcpttgi:owner/text()', value: Blue }"],
      groupDocument(owner),
    );
    expect(text).toBe(groupDocument(owner).replace('>Red<', '>Blue<'));
  });

  test('set of what is already so is no change', async () => {
    const { derivation } = await applyRules(['set: { select: //mcpttgi:owner, value: Red }'], groupDocument(owner));
    expect(derivation.applied).toEqual([]);
  });

  test('set on an element with elements refuses instead of wiping them', async () => {
    await expect(
      applyRules(['set: { select: //oxe:supported-services, value: x }'], groupDocument(owner)),
    ).rejects.toMatchObject({ code: 'constraint-failure' });
  });

  test('remove takes elements with their lines, attributes with their space, and nothing twice', async () => {
    const document = groupDocument(`${owner}\n    <list>\n      <entry uri="sip:a@red.example" x="1"/>\n    </list>`);
    const { text } = await applyRules(["remove: { select: '//mcpttgi:owner | //@x' }"], document);
    expect(text).toBe(groupDocument('    <list>\n      <entry uri="sip:a@red.example"/>\n    </list>'));
    const nested = await applyRules(["remove: { select: '//g:list | //g:entry | //g:entry/@uri' }"], document);
    expect(nested.text).toBe(groupDocument(owner));
  });

  test('remove of the document element refuses', async () => {
    await expect(
      applyRules(['endToEnd: true, remove: { select: /g:group }'], groupDocument(owner)),
    ).rejects.toMatchObject({ message: 'The policy rule "rule 1": remove cannot act on the document element' });
  });

  test('remove selects in any prefix and any depth that the document uses', async () => {
    const document = readFileSync(new URL('../../test/examples/example-group-3.xml', import.meta.url), 'utf8');
    const { text } = await applyRules(
      ['remove: { select: "/g:group/g:list-service/mcpttgi:*[starts-with(local-name(),\'off-network-\')]" }'],
      document,
    );
    expect(text).toBe(document.replace(/\n\s*<m:off-network-[^\n]*/g, ''));
  });

  test('insert adds an element as last child, with the prefixes that the document lacks', async () => {
    const rule =
      "insert: { into: //g:list-service, element: '<mcpttgi:level-within-group-hierarchy>2</mcpttgi:level-within-group-hierarchy>' }";
    const { text } = await applyRules([rule], groupDocument(owner));
    expect(text).toContain(
      '</oxe:supported-services>\n    <mcpttgi:level-within-group-hierarchy xmlns:mcpttgi="urn:3gpp:ns:mcpttGroupInfo:1.0">2</mcpttgi:level-within-group-hierarchy>\n',
    );
  });

  test('rules see what the rules before them did', async () => {
    const { text, derivation } = await applyRules(
      ['set: { select: //mcpttgi:owner, value: Blue }', 'remove: { select: "//mcpttgi:owner[. = \'Blue\']" }'],
      groupDocument(owner),
    );
    expect(text).not.toContain('owner');
    expect(derivation.applied.map(({ rule }) => rule)).toEqual(['rule 1', 'rule 2']);
  });
});

describe('require refuses the document with its phrase', () => {
  const rule = 'require: { select: //mcpttgi:owner, otherwise: group without owner }';

  test('when nothing is selected', async () => {
    await expect(applyRules([rule], groupDocument(''))).rejects.toMatchObject({
      code: 'constraint-failure',
      message: 'group without owner',
      detail: { cause: 'policy rule "rule 1": group without owner' },
    });
  });

  test('and passes otherwise, also on a truth value', async () => {
    const document = groupDocument(owner);
    expect((await applyRules([rule], document)).text).toBe(document);
    const count = "require: { select: 'count(//g:entry) < 2', otherwise: too many }";
    expect((await applyRules([count], document)).text).toBe(document);
  });
});

describe('when limits a rule to documents', () => {
  const cases: readonly (readonly [string, boolean])[] = [
    ["{ select: '//mcpttgi:owner' }", true],
    ["{ select: 'count(//g:entry) > 0' }", false],
    ['{ service: mcptt }', true],
    ['{ service: mcdata }', false],
    ["{ group: 'sip:*@red.example' }", true],
    ["{ group: 'sip:*@green.example' }", false],
    ['{ owner: Red }', true],
    ['{ owner: Red, service: mcdata }', false],
  ];
  test.each(cases)('%s holds: %s', async (when, holds) => {
    const { derivation } = await applyRules(
      [`when: ${when}, set: { select: //mcpttgi:owner, value: Blue }`],
      groupDocument(owner),
    );
    expect(derivation.applied.length > 0).toBe(holds);
  });
});

describe('what binds both systems changes only with endToEnd: true', () => {
  const document = groupDocument(
    `    <invite-members>true</invite-members>
    <m:protect-media>true</m:protect-media>
    <m:preferred-voice-encodings><m:encoding name="AMR-WB"/></m:preferred-voice-encodings>
    <m:on-network-regrouped a="1"><m:on-network-group-priority>255</m:on-network-group-priority></m:on-network-regrouped>`,
  );
  const binding: readonly string[] = [
    "set: { select: '//g:list-service/@*', value: 'sip:x@red.example' }",
    'set: { select: \'//*[local-name()="protect-media"]\', value: false }',
    'set: { select: \'//*[local-name()="protect-media"]/text()\', value: false }',
    "set: { select: '//@name', value: EVS }",
    "remove: { select: '//g:invite-members/self::*' }",
    "remove: { select: '/g:group/g:list-service/mcpttgi:*' }",
    "remove: { select: '//mcpttgi:*[@a]/@a' }",
    "remove: { select: '/*/*' }",
    "insert: { into: '//mcpttgi:*[@a]', element: '<mcpttgi:x/>' }",
  ];
  test.each(binding)('%s refuses', async (rule) => {
    await expect(applyRules([rule], document)).rejects.toMatchObject({
      code: 'constraint-failure',
      message: expect.stringContaining('endToEnd') as unknown,
    });
    const { derivation } = await applyRules([`endToEnd: true, ${rule}`], document);
    expect(derivation.applied).toHaveLength(1);
  });
});

test.each([
  ['//owner', '; names of elements need a prefix, such as mcpttgi:owner'],
  ['//mcpttgi:ownr', ''],
  ["//@nothing[contains(., 'a')]", ''],
  ['//descendant::owner[1]', '; names of elements need a prefix, such as mcpttgi:owner'],
])('a selection that selects nothing is told: %s', (select, hint) => {
  const policy = parsePolicy(policyText([`remove: { select: "${select}" }`]), 'p.yaml');
  const [problem] = unmatchedSelections(policy, [Buffer.from(groupDocument('<m:owner>Red</m:owner>'))]);
  expect(problem).toMatchObject({ line: 4, text: `${select} selects nothing in any stored or example group${hint}` });
});
