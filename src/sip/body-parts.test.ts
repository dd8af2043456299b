import { describe, expect, test } from '@jest/globals';
import { bodyParts } from './body-parts.ts';
import { parseParameterised } from './headers.ts';

interface Sketch {
  readonly type: string;
  readonly body: string | readonly Sketch[];
}

let boundaries = 0;

/** Content-Type and text of a body; a list of sketches becomes a multipart. */
function composed({ type, body }: Sketch): { readonly type: string; readonly text: string } {
  if (typeof body === 'string') return { type, text: body };
  const boundary = `b${boundaries++}`;
  const parts = body.map(composed).map((part) => `--${boundary}\r\nContent-Type: ${part.type}\r\n\r\n${part.text}\r\n`);
  return { type: `${type};boundary=${boundary}`, text: `${parts.join('')}--${boundary}--` };
}

function partsOf(sketch: Sketch): readonly string[] | undefined {
  const { type, text } = composed(sketch);
  const read = parseParameterised(type);
  if (read === undefined) throw new Error('no media type');
  return bodyParts(read, text)?.map((part) => `${part.type} ${part.body}`);
}

const leaf = (body: string): Sketch => ({ type: 'text/A', body });
const nested = (depth: number): Sketch =>
  depth === 0 ? leaf('deep') : { type: 'multipart/mixed', body: [nested(depth - 1)] };

describe('RFC 2046 5.1', () => {
  test('a body that is no multipart is its own part', () => {
    expect(partsOf(leaf('one'))).toEqual(['text/a one']);
  });

  test('parts of inner multiparts stand in their place, whatever the letters of the type', () => {
    const related = { type: 'Multipart/RELATED', body: [leaf('two'), leaf('three')] };
    expect(partsOf({ type: 'multipart/mixed', body: [leaf('one'), related, leaf('four')] })).toEqual([
      'text/a one',
      'text/a two',
      'text/a three',
      'text/a four',
    ]);
  });

  test('a multipart of another kind is a part by itself', () => {
    const other = composed({ type: 'multipart/alternative', body: [leaf('one')] });
    expect(partsOf({ type: 'multipart/mixed', body: [{ type: other.type, body: other.text }] })).toEqual([
      `multipart/alternative ${other.text}`,
    ]);
  });

  test('four in each other are read, five are not', () => {
    expect(partsOf(nested(4))).toEqual(['text/a deep']);
    expect(partsOf(nested(5))).toBeUndefined();
  });

  test('32 parts of all together are read, 33 are not', () => {
    const many = (last: number): Sketch => {
      const eight = { type: 'multipart/mixed', body: Array.from({ length: 8 }, () => leaf('x')) };
      const rest = { type: 'multipart/mixed', body: Array.from({ length: last }, () => leaf('x')) };
      return { type: 'multipart/mixed', body: [eight, eight, eight, rest] };
    };
    expect(partsOf(many(4))).toHaveLength(28);
    expect(partsOf(many(5))).toBeUndefined();
  });

  test('an inner multipart that is broken breaks the whole', () => {
    expect(
      partsOf({ type: 'multipart/mixed', body: [{ type: 'multipart/mixed;boundary=x', body: '--x\r\n' }] }),
    ).toBeUndefined();
    expect(
      partsOf({ type: 'multipart/mixed', body: [{ type: 'multipart/mixed', body: 'no boundary' }] }),
    ).toBeUndefined();
  });
});
