// What binds both systems is told from what a local edit may change.
import { expect, test } from '@jest/globals';
import { OffsetIndex } from '../xml/offset-index.ts';
import { endToEndChange } from './end-to-end-change.ts';

const group = (content: string): OffsetIndex =>
  OffsetIndex.of(
    Buffer.from(`<group xmlns="urn:oma:xml:poc:list-service" xmlns:mcpttgi="urn:3gpp:ns:mcpttGroupInfo:1.0">
      <list-service uri="sip:a@red.example"><display-name>A</display-name>${content}</list-service></group>`),
  );

const media = (value: string): string => `<mcpttgi:protect-media>${value}</mcpttgi:protect-media>`;
const voice = (name: string): string =>
  `<mcpttgi:preferred-voice-encodings><mcpttgi:encoding name="${name}"/></mcpttgi:preferred-voice-encodings>`;

test.each([
  ['another value', media('true'), media('false'), 'protect-media'],
  ['a part that goes', media('true'), '', 'protect-media'],
  ['a part that comes', '', media('true'), 'protect-media'],
  ['a part within', voice('AMR-WB'), voice('EVS'), 'preferred-voice-encodings'],
  ['the second of two', media('true') + voice('AMR-WB'), media('true') + voice('EVS'), 'preferred-voice-encodings'],
  ['nothing', media('true') + voice('AMR-WB'), media('true') + voice('AMR-WB'), undefined],
  ['what stands elsewhere', media('true'), `<mcpttgi:owner>Red</mcpttgi:owner>${media('true')}`, undefined],
])('%s', (_, before, after, part) => {
  expect(endToEndChange(group(before), group(after))).toBe(part);
});

test('the group ID stays as its home spells it', () => {
  const other = OffsetIndex.of(
    Buffer.from(Buffer.from(group('').bytes).toString().replace('sip:a@red.example', 'SIP:a@RED.example')),
  );
  expect(endToEndChange(group(''), other)).toBe('list-service/@uri');
});
