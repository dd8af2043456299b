// What the environment says about the engine that the SIP tests run on.
import { describe, expect, test } from '@jest/globals';
import { engineUnderTest, onEngineUnderTest } from './engine-under-test.testkit.ts';

const named = {
  MCGW_TEST_ENGINE: '127.0.0.1:9022',
  MCGW_TEST_ENGINE_SECRET: 'of-the-engine',
  MCGW_TEST_ENGINE_SIP: 'udp:127.0.0.1:5070,tcp:127.0.0.1:5070',
};
const control = { host: '127.0.0.1', port: 9022, secret: 'of-the-engine' };

describe('the environment', () => {
  test('names nothing: the embedded engine', () => {
    expect(engineUnderTest({})).toBeUndefined();
    expect(engineUnderTest({ MCGW_TEST_ENGINE: '' })).toBeUndefined();
  });

  test('names an engine, where it listens and its secret, by default that of a drachtio-server', () => {
    const listening = ['udp:127.0.0.1:5070', 'tcp:127.0.0.1:5070'];
    expect(engineUnderTest(named)).toEqual({ control, listening });
    const { MCGW_TEST_ENGINE_SECRET: _, ...rest } = named;
    expect(engineUnderTest({ ...rest, MCGW_TEST_ENGINE: '[::1]:9022' })?.control).toEqual({
      host: '::1',
      port: 9022,
      secret: 'cymru',
    });
  });

  test.each([
    ['no port', { ...named, MCGW_TEST_ENGINE: 'engine' }, 'must be HOST:PORT'],
    ['no listener', { ...named, MCGW_TEST_ENGINE_SIP: '' }, 'UDP first'],
    ['no UDP listener', { ...named, MCGW_TEST_ENGINE_SIP: 'tcp:127.0.0.1:5070' }, 'UDP first'],
  ])('%s is an error', (_, environment, text) => {
    expect(() => engineUnderTest(environment)).toThrow(text);
  });
});

describe('a configuration', () => {
  const engine = engineUnderTest(named);

  test('takes the listeners of the engine in its own order', () => {
    const sip = { listen: ['tcp:127.0.0.1:0', 'udp:127.0.0.1:0'], minimumExpires: 2 };
    expect(onEngineUnderTest(sip, engine)).toEqual({
      listen: ['tcp:127.0.0.1:5070', 'udp:127.0.0.1:5070'],
      minimumExpires: 2,
      engine: { drachtio: control },
    });
    expect(onEngineUnderTest(sip, undefined)).toBe(sip);
  });

  test('stays as it is when the engine lacks a transport', () => {
    const sip = { listen: ['udp:127.0.0.1:0', 'tls:127.0.0.1:0'] };
    expect(onEngineUnderTest(sip, engine)).toBe(sip);
  });
});
