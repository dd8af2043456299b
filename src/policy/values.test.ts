import { describe, expect, test } from '@jest/globals';
import { applyRules, groupDocument, policyText, problemsOf, withPolicyFolder } from './policy.testkit.ts';

const priorities =
  '    <m:on-network-group-priority>3</m:on-network-group-priority>\n    <m:mcdata-on-network-group-priority>7</m:mcdata-on-network-group-priority>';
const select = '"//mcpttgi:on-network-group-priority | //mcpttgi:mcdata-on-network-group-priority"';

describe('map gives values by table and by range', () => {
  test('0-7 becomes 0-255, in proportion and rounded', async () => {
    const { text } = await applyRules(
      [`map: { select: ${select}, ranges: { 0-7: 0-255 } }`],
      groupDocument(priorities),
    );
    expect(text).toBe(groupDocument(priorities.replace('>3<', '>109<').replace('>7<', '>255<')));
  });

  test('several ranges, also falling ones and single numbers', async () => {
    const rule = `map: { select: ${select}, ranges: { 0-3: 10..0, 7-7: 99-99 } }`;
    const { text } = await applyRules([rule], groupDocument(priorities));
    expect(text).toBe(groupDocument(priorities.replace('>3<', '>0<').replace('>7<', '>99<')));
  });

  test('a table goes before ranges; values without a place are kept by a table, refused by ranges, or as said', async () => {
    const owner = groupDocument('    <m:owner>Red</m:owner>');
    const rule = (more: string): string => `map: { select: //mcpttgi:owner, ${more} }`;
    expect((await applyRules([rule('table: { Blue: Azure }')], owner)).text).toBe(owner);
    expect((await applyRules([rule('table: { Red: 5 }, ranges: { 0-7: 0-255 }')], owner)).text).toContain('>5<');
    const refused = {
      code: 'constraint-failure',
      message: expect.stringContaining('map has no value for "Red"') as unknown,
    };
    await expect(applyRules([rule('ranges: { 0-7: 0-255 }')], owner)).rejects.toMatchObject(refused);
    await expect(applyRules([rule('table: { Blue: Azure }, otherwise: refuse')], owner)).rejects.toMatchObject(refused);
    expect((await applyRules([rule('ranges: { 0-7: 0-255 }, otherwise: keep')], owner)).text).toBe(owner);
  });

  test('white space around values does not count, in the document or the table', async () => {
    const document = groupDocument('    <m:owner>\n Red </m:owner>');
    const { text } = await applyRules(['map: { select: //mcpttgi:owner, table: { " Red ": Blue } }'], document);
    expect(text).toBe(groupDocument('    <m:owner>Blue</m:owner>'));
  });

  test('names that every object has are values like others', async () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      const document = groupDocument(`    <m:owner>${name}</m:owner>`);
      expect((await applyRules(['map: { select: //mcpttgi:owner, table: { Red: Blue } }'], document)).text).toBe(
        document,
      );
      const { text } = await applyRules([`map: { select: //mcpttgi:owner, table: { ${name}: Blue } }`], document);
      expect(text).toContain(name === '__proto__' ? name : '<m:owner>Blue</m:owner>');
    }
  });

  test('overlapping ranges and ranges that are none are problems', async () => {
    const problems = (ranges: string): Promise<readonly string[]> =>
      withPolicyFolder(
        { 'policy.yaml': policyText([`map: { select: //mcpttgi:owner, ranges: { ${ranges} } }`]) },
        (_, load) => problemsOf(load),
      );
    expect(await problems('0-7: 0-255, 5-9: 1-2')).toEqual([expect.stringContaining('the ranges overlap at 5')]);
    expect(await problems('0-7: high')).toEqual([expect.stringContaining('must be two whole numbers')]);
  });

  test('what binds both systems needs endToEnd', async () => {
    const document = groupDocument('    <m:protect-media>true</m:protect-media>');
    const rule = "map: { select: '//*[local-name()=\"protect-media\"]', table: { 'true': 'false' } }";
    await expect(applyRules([rule], document)).rejects.toMatchObject({ code: 'constraint-failure' });
    expect((await applyRules([`endToEnd: true, ${rule}`], document)).text).toContain('>false<');
  });
});

describe('rename gives elements and attributes another name', () => {
  test('start and end tag, in the prefix of the document; content and attributes stay, nested ones included', async () => {
    const document = groupDocument('    <m:old  a="1"><m:old>x</m:old><!-- old --></m:old >\n    <m:old/>');
    const { text, derivation } = await applyRules(['rename: { select: //mcpttgi:old, to: mcpttgi:new }'], document);
    expect(text).toBe(groupDocument('    <m:new  a="1"><m:new>x</m:new><!-- old --></m:new >\n    <m:new/>'));
    expect(derivation.applied[0]?.changes).toHaveLength(3);
    expect(derivation.applied[0]?.changes[0]).toMatchObject({ before: '<m:old  a="1">', after: '<m:new  a="1">' });
  });

  test('a namespace that the document does not have is declared', async () => {
    const document = '<g xmlns="urn:oma:xml:poc:list-service"><a x="1">b</a></g>';
    const { text } = await applyRules(['rename: { select: //g:a, to: mcpttgi:b }'], document);
    expect(text).toBe(
      '<g xmlns="urn:oma:xml:poc:list-service"><mcpttgi:b xmlns:mcpttgi="urn:3gpp:ns:mcpttGroupInfo:1.0" x="1">b</mcpttgi:b></g>',
    );
  });

  test('attributes', async () => {
    const document = groupDocument('    <m:a old=\'1\' b="2"/>');
    expect((await applyRules(['rename: { select: //@old, to: new }'], document)).text).toBe(
      document.replace('old=', 'new='),
    );
    await expect(applyRules(['rename: { select: //@old, to: b }'], document)).rejects.toMatchObject({
      message: expect.stringContaining('there is an attribute b already') as unknown,
    });
  });

  test('what binds both systems is neither renamed nor made without endToEnd', async () => {
    const document = groupDocument('    <m:protect-media>true</m:protect-media>\n    <m:mine>1</m:mine>');
    await expect(
      applyRules(['rename: { select: \'//*[local-name()="protect-media"]\', to: mcpttgi:x }'], document),
    ).rejects.toMatchObject({ code: 'constraint-failure' });
    const problems = await withPolicyFolder(
      { 'policy.yaml': policyText(['rename: { select: //mcpttgi:mine, to: mcpttgi:protect-media }']) },
      (_, load) => problemsOf(load),
    );
    expect(problems).toEqual([expect.stringContaining('protect-media binds both systems')]);
    const second = await withPolicyFolder(
      { 'policy.yaml': policyText(['rename: { select: //mcpttgi:mine, to: g:list-service }']) },
      (_, load) => problemsOf(load),
    );
    expect(second).toEqual([expect.stringContaining('list-service/@uri binds both systems')]);
  });
});
