// RFC 4825 clause 9: cache control.
import { expect, test } from '@jest/globals';
import { stored, xcapServer } from './xcap-server.ts';

const server = xcapServer();

test.each(['', '/~~/a', '/~~/a/@b', '/~~/a/namespace::*'])(
  'what is read at "%s" is revalidated each time',
  async (node) => {
    const { path, etag } = await stored(server, '<a b="c"/>');
    expect((await server.send('GET', path + node)).headers['cache-control']).toBe('no-cache');
    for (const method of ['GET', 'HEAD']) {
      const unchanged = await server.send(method, path + node, { headers: { 'If-None-Match': etag } });
      expect(unchanged).toMatchObject({
        status: 304,
        body: '',
        headers: { 'cache-control': 'no-cache', etag },
      });
      // RFC 9110 15.4.5: parsers in the field would wait for content of that length
      expect(unchanged.headers['content-length']).toBeUndefined();
    }
  },
);
