import { expect, test } from '@jest/globals';
import { builtInAuids } from '../config/schema.ts';
import { builtInUsages, configuredUsages } from './application-usage.ts';

test('the configuration knows which AUIDs are built in', () => {
  expect(builtInUsages.map(({ auid }) => auid)).toEqual([...builtInAuids]);
});

test('RFC 4825 12: the namespace of a configured usage is listed when it has a schema', () => {
  const usage = { auid: 'a', mimeType: 'application/a+xml', defaultDocumentNamespace: 'urn:a' };
  const [without, withSchema] = [usage, { ...usage, auid: 'b', schema: '/b.xsd' }].map(
    (one) => configuredUsages([one]).at(-1) ?? builtInUsages[0],
  );
  expect(without).toMatchObject({ auid: 'a', namespaces: [], schema: undefined, composed: false });
  expect(withSchema).toMatchObject({ auid: 'b', namespaces: ['urn:a'], schema: 'b' });
});
