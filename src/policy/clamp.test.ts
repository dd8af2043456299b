import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { applyRules, groupDocument } from './policy.testkit.ts';

const ceiling = 'clamp: { priority: [mcptt, mcvideo, mcdata], max: 100 }';
const priority = (value: string): string => `    <m:on-network-group-priority>${value}</m:on-network-group-priority>`;

describe('clamp holds group priorities in a range (TS 24.481 clause 7.2.4.2)', () => {
  test('max lowers what is above it and leaves every other byte', async () => {
    const document = groupDocument(priority('190'));
    const { text, derivation } = await applyRules([ceiling], document);
    expect(text).toBe(document.replace('>190<', '>100<'));
    expect(derivation.applied).toEqual([
      {
        rule: 'rule 1',
        kind: 'clamp',
        changes: [
          {
            path: 'group/list-service/on-network-group-priority',
            before: '<m:on-network-group-priority>190</m:on-network-group-priority>',
            after: '<m:on-network-group-priority>100</m:on-network-group-priority>',
          },
        ],
      },
    ]);
  });

  test('max leaves an absent priority absent, since absent is lowest', async () => {
    const document = groupDocument('    <display-name>x</display-name>');
    const { text, derivation } = await applyRules([ceiling], document);
    expect(text).toBe(document);
    expect(derivation.applied).toEqual([]);
  });

  test('max leaves a lower priority and its spelling', async () => {
    const document = groupDocument(priority(' 007 '));
    expect((await applyRules([ceiling], document)).text).toBe(document);
  });

  test('a priority that a release put into anyExt is held, too, and not absent', async () => {
    const document = groupDocument(`    <m:anyExt>${priority(' 200 ').trim()}</m:anyExt>`);
    const { text } = await applyRules(['clamp: { priority: [mcptt], min: 10, max: 100 }'], document);
    expect(text).toBe(document.replace('> 200 <', '>100<'));
  });

  test('each service has a priority element of its own', async () => {
    const document = groupDocument(
      ['on-network', 'mcvideo-on-network', 'mcdata-on-network']
        .map((name) => `    <m:${name}-group-priority>200</m:${name}-group-priority>`)
        .join('\n'),
    );
    const { text } = await applyRules(['clamp: { priority: [mcvideo], max: 9 }'], document);
    expect(text).toBe(
      document.replace('<m:mcvideo-on-network-group-priority>200', '<m:mcvideo-on-network-group-priority>9'),
    );
  });

  test('min raises a lower priority and inserts an absent one for services that the group has', async () => {
    const document = groupDocument(priority('3'), ['mcptt', 'mcdata.sds']);
    const { text } = await applyRules(['clamp: { priority: [mcptt, mcvideo, mcdata], min: 10 }'], document);
    expect(text).toContain('<m:on-network-group-priority>10<');
    expect(text).toContain(
      '</oxe:supported-services>\n    <m:mcdata-on-network-group-priority>10</m:mcdata-on-network-group-priority>\n  </list-service>',
    );
    expect(text).not.toContain('mcvideo-on-network-group-priority');
  });

  test('an inserted element brings its namespace where the document has no prefix for it', async () => {
    const document = groupDocument('').replace('xmlns:m="urn:3gpp:ns:mcpttGroupInfo:1.0"', '');
    const { text } = await applyRules(['clamp: { priority: [mcptt], min: 10 }'], document);
    expect(text).toContain(
      '<on-network-group-priority xmlns="urn:3gpp:ns:mcpttGroupInfo:1.0">10</on-network-group-priority>',
    );
  });

  test('a regroup marker keeps its own priority', async () => {
    const document = readFileSync(new URL('../../test/examples/example-group-3.xml', import.meta.url), 'utf8');
    const { text } = await applyRules([ceiling], document);
    expect(text).toBe(document.replace('>240<', '>100<'));
    expect(text).toContain('<m:on-network-group-priority>255</m:on-network-group-priority>');
  });

  test('a priority that is no number is refused, not passed on', async () => {
    await expect(applyRules([ceiling], groupDocument(priority('high')))).rejects.toMatchObject({
      code: 'constraint-failure',
      detail: { cause: 'policy rule "rule 1": on-network-group-priority is no priority' },
    });
  });
});
