import { expect, test } from '@jest/globals';
import { type Configuration, configurationSchema } from '../config/schema.ts';
import { withRealPorts } from './real-ports.ts';

function configuration(port: number, root: string): Configuration {
  return configurationSchema.parse({
    system: { name: 'blue', domains: ['blue.example'], gms: 'sip:gms@blue.example' },
    xcap: { listen: { port }, root },
    storage: { sqlite: 'blue.db' },
  });
}

test('a root with port 0 gets the port of its listener', async () => {
  const { xcap } = await withRealPorts(configuration(0, 'http://127.0.0.1:0/xcap-root'));
  expect(xcap.listen.port).toBeGreaterThan(0);
  expect(xcap.root).toBe(`http://127.0.0.1:${xcap.listen.port}/xcap-root`);
});

test('a root with a port of its own stays as it is, as behind a proxy', async () => {
  const given = configuration(0, 'https://gms.blue.example/xcap-root');
  expect((await withRealPorts(given)).xcap).toEqual(given.xcap);
});
