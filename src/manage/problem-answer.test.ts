// What the management API says of faults of ours.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import express from 'express';
import { request } from 'undici';
import { StoreError } from '../store/store-error.ts';
import { problemAnswers } from './problem-answer.ts';

test.each<[string, Error, object]>([
  [
    'a store that cannot be reached',
    new StoreError('unreachable', 'db.blue.example does not answer'),
    {
      status: 503,
      retryAfter: '5',
      told: { code: 'unavailable', phrase: 'The server cannot answer now, try again' },
    },
  ],
  [
    'anything else',
    new Error('ENOENT /var/lib/blue.db'),
    {
      status: 500,
      retryAfter: undefined,
      told: { code: 'internal-error', phrase: 'The request could not be carried out' },
    },
  ],
])('%s is told without any detail, which stands in the log', async (_, fault, expected) => {
  const logged: object[] = [];
  const log = { info: () => undefined, warn: () => undefined, error: (fields: object) => void logged.push(fields) };
  const application = express();
  application.get('/', () => {
    throw fault;
  });
  application.use(problemAnswers(log));
  const server = createServer(application).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { statusCode, headers, body } = await request(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const told = await body.json();
  server.close();
  server.closeAllConnections();
  expect({ status: statusCode, retryAfter: headers['retry-after'], told }).toEqual(expected);
  expect(logged).toEqual([{ err: fault, method: 'GET' }]);
});
