// Preconditions over the own face: RFC 4825 clauses 7.11 and 8.2.6, RFC 9110 clause 13.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { listKey, listPath, listType, type RunningFace, runningFace } from './own-face.testkit.ts';

let face: RunningFace;

beforeEach(async () => {
  face = await runningFace();
});
afterEach(() => face.close());

const put = { 'Content-Type': listType };

describe('RFC 4825 7.11 and 8.2.6: conditional requests', () => {
  test('create only: If-None-Match * on an existing document is 412, on an absent one 201', async () => {
    const headers = { ...put, 'If-None-Match': '*' };
    expect(await face.send('PUT', listPath, headers, '<a/>')).toMatchObject({ status: 201 });
    expect(await face.send('PUT', listPath, headers, '<a/>')).toMatchObject({ status: 412 });
    expect(await face.send('PUT', listPath, headers, '<b/>')).toMatchObject({ status: 412 });
    expect(face.text(listKey)).toBe('<a/>');
  });

  test.each([
    ['PUT', (tag: string) => `"${tag}"`, 200],
    ['PUT', (tag: string) => tag, 200],
    ['PUT', (tag: string) => `"x,${tag}", "${tag}"`, 200],
    ['PUT', () => '*', 200],
    ['PUT', (tag: string) => `W/"${tag}"`, 412],
    ['PUT', (tag: string) => `"x,${tag}"`, 412],
    ['PUT', () => '"stale"', 412],
    ['PUT', () => '"broken', 400],
    ['DELETE', (tag: string) => `"${tag}"`, 200],
    ['DELETE', () => '"stale"', 412],
    ['GET', () => '"stale"', 412],
    ['GET', (tag: string) => `"${tag}"`, 200],
  ])('%s with If-Match %s is %i', async (method, ifMatch, status) => {
    const tag = face.store(listKey, '<a/>');
    const body = method === 'PUT' ? '<b/>' : undefined;
    const answer = await face.send(method, listPath, { ...put, 'If-Match': ifMatch(tag) }, body);
    expect(answer.status).toBe(status);
    if (status >= 400) expect(face.text(listKey)).toBe('<a/>');
  });

  test('If-Match on an absent document is 412', async () => {
    expect(await face.send('PUT', listPath, { ...put, 'If-Match': '*' }, '<a/>')).toMatchObject({ status: 412 });
  });

  test.each([
    [(tag: string) => `"${tag}"`, 304],
    [(tag: string) => `W/"${tag}"`, 304],
    [(tag: string) => tag, 304],
    [(tag: string) => `"stale", "${tag}"`, 304],
    [() => '*', 304],
    [() => '"stale"', 200],
  ])('GET with If-None-Match %s is %i', async (ifNoneMatch, status) => {
    const tag = face.store(listKey, '<a/>');
    for (const method of ['GET', 'HEAD']) {
      const answer = await face.send(method, listPath, { 'If-None-Match': ifNoneMatch(tag) });
      expect(answer).toMatchObject({ status, headers: { etag: `"${tag}"` } });
    }
  });

  test('a precondition that fails is told before a wrong media type', async () => {
    face.store(listKey, '<a/>');
    const headers = { 'Content-Type': 'text/plain', 'If-None-Match': '*' };
    expect(await face.send('PUT', listPath, headers, '<b/>')).toMatchObject({ status: 412 });
  });

  test('a wrong media type tells strangers nothing about a document', async () => {
    face.store(listKey, '<a/>');
    const headers = {
      'Content-Type': 'text/plain',
      'If-None-Match': '*',
      'X-3GPP-Asserted-Identity': 'sip:eve@blue.example',
    };
    expect(await face.send('PUT', listPath, headers, '<b/>')).toMatchObject({ status: 403 });
  });
});
