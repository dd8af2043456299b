import { describe, expect, test } from '@jest/globals';
import { parseMultipart } from './multipart.ts';

const body = (...lines: string[]): string => lines.join('\r\n');

describe('RFC 2046 5.1', () => {
  test('parts with their headers, preamble and epilogue ignored', () => {
    const parts = parseMultipart(
      body(
        'preamble',
        '--b1',
        'Content-Type: text/a;',
        ' charset=utf-8',
        '',
        'one',
        '--b10 is content',
        '',
        '--b1 \t',
        '',
        'two',
        '--b1--',
        'epilogue',
      ),
      'b1',
    );
    expect(parts?.map((part) => part.body)).toEqual([body('one', '--b10 is content', ''), 'two']);
    expect(parts?.[0]?.headers.get('content-type')).toBe('text/a; charset=utf-8');
    expect(parts?.[1]?.headers.size).toBe(0);
  });

  test('an empty part', () => {
    expect(parseMultipart(body('--b', '', '', '--b--'), 'b')?.map((part) => part.body)).toEqual(['']);
    expect(parseMultipart(body('--b', '', '--b--'), 'b')?.map((part) => part.body)).toEqual(['']);
  });

  test.each([
    ['no closing delimiter', body('--b', '', 'one')],
    ['no part', body('--b--')],
    ['no delimiter', 'one'],
    ['a header line without colon', body('--b', 'what', '', 'one', '--b--')],
    ['a repeated header', body('--b', 'A: 1', 'a: 2', '', 'one', '--b--')],
    ['headers without an empty line', body('--b', 'A: 1', '--b--')],
    ['bare line feeds', '--b\n\none\n--b--\n'],
    ['headers that are too long', body('--b', `A: ${'x'.repeat(3000)}`, '', 'one', '--b--')],
    ['too many parts', `${'--b\r\n\r\nx\r\n'.repeat(9)}--b--`],
  ])('%s is refused', (_, text) => {
    expect(parseMultipart(text, 'b')).toBeUndefined();
  });

  test.each(['', 'x'.repeat(71), 'a"b', 'ends '])('boundary %p is refused', (boundary) => {
    expect(parseMultipart(body(`--${boundary}`, '', 'one', `--${boundary}--`), boundary)).toBeUndefined();
  });

  test('a body full of near-delimiters costs linear time', () => {
    const started = performance.now();
    expect(parseMultipart(`--b\r\n\r\n${`\r\n--b${' '.repeat(20)}x`.repeat(20_000)}`, 'b')).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(500);
  });
});
