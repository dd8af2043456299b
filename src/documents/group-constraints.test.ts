import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { readGroup } from '../xml/group-document.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { type GroupSketch, groupDocument } from './documents.testkit.ts';
import { checkGroupDocument } from './group-constraints.ts';

function outcome(...sketches: readonly GroupSketch[]): string {
  return outcomeOf(groupDocument(...sketches));
}

function outcomeOf(bytes: Uint8Array): string {
  const index = OffsetIndex.of(bytes);
  try {
    return checkGroupDocument(index, readGroup(index)).join(' ');
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `${error.code} ${error.detail.exists?.[0]?.field ?? error.phrase}`;
  }
}

const mcptt = ['mcptt'] as const;

describe('TS 24.481 7.2: constraints of group documents', () => {
  test('the canonical group IDs come back in document order', () => {
    expect(outcome({ uri: 'SIP:G%31@Red.Example' }, { uri: 'tel:+1-555' })).toBe('sip:G1@red.example tel:+1555');
  });

  test('the group ID is a URI', () => {
    expect(outcome({ uri: 'alpha' })).toBe('constraint-failure group/list-service/@uri is not a URI');
    expect(outcome({ uri: 'sip:a@x.example' }, { uri: 'two words' })).toBe(
      'constraint-failure group/list-service%5B2%5D/@uri is not a URI',
    );
  });

  test('no two groups of a document have the same ID', () => {
    expect(outcome({ uri: 'sip:a@x.example' }, { uri: 'sip:a@X.example' })).toBe(
      'uniqueness-failure group/list-service%5B2%5D/@uri',
    );
  });

  test('a document without a group is refused', () => {
    expect(outcome()).toBe('constraint-failure A group document needs at least one list-service');
  });

  test('7.2.2: supported-services is there and names a service', () => {
    expect(outcome({ supported: '' })).toBe('constraint-failure A group needs supported-services');
    expect(outcome({ supported: '<oxe:supported-services/>' })).toBe(
      'constraint-failure supported-services needs at least one service',
    );
    expect(outcome({ supported: '<oxe:supported-services><oxe:all-services-except/></oxe:supported-services>' })).toBe(
      'sip:alpha@red.example',
    );
  });

  test('a member is listed once, however its URI is spelled', () => {
    expect(outcome({ services: mcptt, members: ['sip:a@x.example', 'sip:A@x.example'] })).toBe('sip:alpha@red.example');
    expect(outcome({ services: mcptt, members: ['sip:a@x.example', 'sip:b@x.example', 'SIP:%61@X.EXAMPLE'] })).toBe(
      'uniqueness-failure group/list-service/list/entry%5B3%5D/@uri',
    );
  });

  test('a member is a URI', () => {
    expect(outcome({ services: mcptt, members: ['sip:a@x.example', 'bob'] })).toBe(
      'constraint-failure group/list-service/list/entry%5B2%5D/@uri is not a URI',
    );
    expect(outcome({ services: mcptt, members: [''] })).toBe(
      'constraint-failure group/list-service/list/entry/@uri is not a URI',
    );
  });

  test.each([
    ['mcvideo', 'MCVideo ID'],
    ['mcdata', 'MCData ID'],
  ] as const)('7.2.8: every entry of a group with %s carries an %s', (service, name) => {
    const members = ['sip:a@x.example', 'sip:b@x.example'];
    expect(outcome({ services: ['mcptt', service], members })).toBe('sip:alpha@red.example');
    expect(outcome({ services: ['mcptt', service], members, without: 'sip:b@x.example' })).toBe(
      `constraint-failure group/list-service/list/entry%5B2%5D needs an ${name}: the group supports the service`,
    );
    expect(outcome({ services: mcptt, members, without: 'sip:b@x.example' })).toBe('sip:alpha@red.example');
  });

  test('MCVideo and MCData IDs are URIs', () => {
    const bytes = groupDocument({ services: ['mcdata'], members: ['sip:a@x.example'] });
    const spoilt = Buffer.from(
      Buffer.from(bytes).toString().replace('mcdata-mcdata-id uri="sip:', 'mcdata-mcdata-id uri="'),
    );
    expect(outcomeOf(spoilt)).toBe('constraint-failure The MCData ID of group/list-service/list/entry is not a URI');
  });

  test('RFC 4745 13: no two rules of a group have the same id', () => {
    const rule = '<cp:rule id="r1"/>';
    expect(outcome({ rules: rule + rule.replace('r1', 'r2') })).toBe('sip:alpha@red.example');
    expect(outcome({ rules: rule + rule })).toBe(
      'constraint-failure group/list-service/ruleset/rule%5B2%5D repeats the id of another rule',
    );
  });

  test('a list of 10,000 members is judged fast', () => {
    const members = Array.from({ length: 10_000 }, (_, number) => `sip:user${number}@red.example`);
    const index = OffsetIndex.of(groupDocument({ services: ['mcptt', 'mcvideo', 'mcdata'], members }));
    const group = readGroup(index);
    const start = performance.now();
    checkGroupDocument(index, group);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});
