import { describe, expect, test } from '@jest/globals';
import { scansOf } from './scans.ts';

describe('how often an XPath may go over a document for each element of it', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['//mcpttgi:owner', 1],
    ['/g:group/g:list-service/mcpttgi:owner', 1],
    ["//mcpttgi:*[contains(local-name(), 'off-network-')]", 1],
    ["//g:entry[@uri='sip://a//b']", 1],
    ['count(//g:entry) < 500', 1],
    ['//a | //b | //c', 1],
    ['//a and not(//b)', 1],
    ['//*//*', 2],
    ['//*[//*]', 2],
    ['//a[count(/*/*) > 1]', 2],
    ['//a[../b]', 2],
    ['/g/a[preceding-sibling::a]', 2],
    ['//a = //b', 2],
    ['//*[count(//*[count(//*) > 0]) > 0]', 3],
    ['//*/ancestor::*/descendant::*/following::*', 4],
  ];
  test.each(cases)('%s: %d', (expression, scans) => {
    expect(scansOf(expression)).toBe(scans);
  });
});
