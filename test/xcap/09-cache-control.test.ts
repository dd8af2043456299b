// RFC 4825 clause 9: cache control.
import { expect, test } from '@jest/globals';
import { stored, xcapServer } from './xcap-server.ts';

const server = xcapServer();

test.each(['', '/~~/a', '/~~/a/@b', '/~~/a/namespace::*'])(
  'what is read at "%s" is revalidated each time',
  async (node) => {
    const { path, etag } = await stored(server, '<a b="c"/>');
    const { headers } = await server.send('GET', path + node);
    expect(headers['cache-control']).toBe('no-cache');
    // RFC 9110 8.6: the length of a 304 is that of the 200 which it stands for
    const length = headers['content-length'];
    for (const method of ['GET', 'HEAD']) {
      const unchanged = await server.send(method, path + node, { headers: { 'If-None-Match': etag } });
      expect(unchanged).toMatchObject({
        status: 304,
        body: '',
        headers: { 'cache-control': 'no-cache', 'content-length': length, etag },
      });
    }
  },
);
