// The OpenAPI document against the routes that there are and the answers that they give.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { redConfiguration, runGateway, type TestGateway, token } from '../gateway/gateway.testkit.ts';
import { type ManagementApiOptions, managementRouters } from './management-api.ts';
import { operations } from './operations.ts';

let red: TestGateway;
beforeAll(async () => {
  red = await runGateway(redConfiguration());
});
afterAll(() => red.close());

function ask(path: string, method = 'GET') {
  const headers = { authorization: `Bearer ${token}` };
  return request(`${red.urls.manage}/api/v1${path}`, { method: method as 'GET', headers });
}

const named = operations.map(({ method, path }) => `${method} ${path}`);

test('every route stands in the table of operations, and every row has its route', () => {
  // routers are built without touching what they will work on
  const routers = managementRouters({ version: '0' } as unknown as ManagementApiOptions);
  const routes = Object.entries(routers).flatMap(([mounted, router]) =>
    router.stack.flatMap(({ route }) => {
      if (route === undefined) return [];
      const path = `${mounted}${route.path}`.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '');
      const methods = route.stack.flatMap(({ method }) => (method === undefined ? [] : [method]));
      return [...new Set(methods)].map((method) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    }),
  );
  expect(routes.toSorted()).toEqual(named.toSorted());
});

test('RFC 9110 10.2.1: the methods of each path are those that Allow names', async () => {
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const response = await ask(
      path.replace(/\{groupId\}/g, 'sip%3Aa%40red.example').replace(/\{\w+\}/g, 'blue'),
      'PATCH',
    );
    await response.body.dump();
    const allowed = String(response.headers.allow)
      .split(', ')
      .filter((method) => method !== 'HEAD');
    const documented = operations.filter((operation) => operation.path === path);
    expect([path, response.statusCode, ...allowed.toSorted()]).toEqual([
      path,
      405,
      ...documented.map(({ method }) => method.toUpperCase()).toSorted(),
    ]);
  }
});

describe('the document', () => {
  interface Described {
    readonly openapi: string;
    readonly info: { readonly version: string };
    readonly paths: Readonly<
      Record<string, Readonly<Record<string, { readonly operationId: string; readonly responses: object }>>>
    >;
  }
  let document: Described;
  beforeAll(async () => {
    const response = await ask('/openapi.json');
    expect(response.statusCode).toBe(200);
    document = (await response.body.json()) as Described;
  });

  test('is OpenAPI 3.1 of this version', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('has each operation under an ID of its own, with an answer for success and for missing credentials', () => {
    const found = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
    );
    expect(found.map(({ name }) => name).toSorted()).toEqual(named.toSorted());
    expect(new Set(found.map(({ operationId }) => operationId)).size).toBe(found.length);
    for (const { name, responses } of found) {
      expect([name, ...Object.keys(responses)]).toEqual(
        expect.arrayContaining([name, expect.stringMatching(/^2/), '401', '405']),
      );
    }
  });

  test('needs the token like everything below /api/v1', async () => {
    const response = await request(`${red.urls.manage}/api/v1/openapi.json`);
    await response.body.dump();
    expect(response.statusCode).toBe(401);
  });
});
