// What `mcgw check` says about tokens, Digest and the files they need.
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { digestUserLine } from '../identity/digest-users.ts';
import { checkConfiguration, type LoadedConfiguration, problemLine } from './load.ts';
import { parseYaml } from './yaml-source.ts';

let folder: string;
const line = (name: string, realm = 'blue.example', identity = `sip:${name}@blue.example`): string =>
  digestUserLine(name, realm, 'secret', [identity]);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-identity-'));
  const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  file('jwks.json', JSON.stringify({ keys: [jwk] }));
  file('empty.json', '{"keys":[]}');
  file('broken.json', '{"keys":');
  file('users.txt', `# dispatchers\n${line('ines')}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string, mode = 0o600): void {
  writeFileSync(join(folder, name), text, { mode });
}

function loaded(identity: string): LoadedConfiguration {
  const text = `system: { name: blue, domains: [blue.example], gms: sip:gms@blue.example, servers: [sip:mcptt@blue.example] }
xcap: { listen: { port: 8080 }, root: http://127.0.0.1:8080/xcap-root }
storage: { sqlite: blue.db }
identity:
  ${identity}
`;
  return checkConfiguration(parseYaml(join(folder, 'gateway.yaml'), text), 0);
}

function problems(identity: string): readonly string[] {
  return loaded(identity).problems.map((problem) => problemLine(problem).replaceAll(`${folder}/`, ''));
}

test('a sound section has no problem, and file names are absolute', () => {
  const { configuration, problems: found } = loaded(
    'tokens: { audience: gms, jwks: jwks.json }\n  digest: { realm: blue.example, users: users.txt }',
  );
  expect(found).toEqual([]);
  expect(configuration?.identity).toMatchObject({
    tokens: { audience: 'gms', jwks: join(folder, 'jwks.json') },
    digest: { realm: 'blue.example', users: join(folder, 'users.txt'), acceptMissingQop: false },
  });
});

test('a URL stays as it is', () => {
  const url = 'https://idm.blue.example/keys';
  expect(loaded(`tokens: { audience: gms, jwks: "${url}" }`).configuration?.identity.tokens?.jwks).toBe(url);
});

describe('tokens', () => {
  test.each([
    [
      'tokens: { jwks: jwks.json }',
      'gateway.yaml:5: identity.tokens: warning: without audience, tokens issued for any other service are accepted too',
    ],
    ['tokens: { audience: gms, jwks: gone.json }', 'gateway.yaml:5: identity.tokens.jwks: gone.json does not exist'],
    ['tokens: { audience: gms, jwks: broken.json }', 'gateway.yaml:5: identity.tokens.jwks: broken.json is not JSON'],
    ['tokens: { audience: gms, jwks: users.txt }', 'gateway.yaml:5: identity.tokens.jwks: users.txt is not JSON'],
    [
      'tokens: { audience: gms, jwks: empty.json }',
      'gateway.yaml:5: identity.tokens.jwks: warning: empty.json holds no key that may verify signatures: every token is refused',
    ],
    [
      'tokens: { audience: gms, jwks: "http://idm.blue.example/keys" }',
      'gateway.yaml:5: identity.tokens.jwks: "http://idm.blue.example/keys" must be an https: URL (http: only with a loopback address)',
    ],
    [
      'tokens: { audience: gms, jwks: jwks.json, scopes: ["a b"] }',
      'gateway.yaml:5: identity.tokens.scopes[0]: must be a scope without spaces and quotes',
    ],
    ['tokens: { audience: gms }', 'gateway.yaml:5: identity.tokens.jwks: is required'],
    [
      'missingCredentials: 401',
      'gateway.yaml:5: identity.missingCredentials: warning: asks for tokens, but identity.tokens is not configured',
    ],
  ])('%s', (identity, problem) => {
    expect(problems(identity)).toEqual([problem]);
  });
});

describe('Digest', () => {
  const digest = (users: string): string => `digest: { realm: blue.example, users: ${users} }`;

  test('a file that is not there', () => {
    expect(problems(digest('gone.txt'))).toEqual(['gateway.yaml:5: identity.digest.users: gone.txt does not exist']);
  });

  test('each wrong line is named in its own file and not quoted', () => {
    file('wrong.txt', `${line('ines')}\nines:secret\n\n${line('joe', 'red.example')}\n${line('ines')}\n`);
    expect(problems(digest('wrong.txt'))).toEqual([
      'wrong.txt:2: identity.digest.users: is not name:realm:MD5:SHA-256:identity',
      'wrong.txt:4: identity.digest.users: is of another realm',
      'wrong.txt:5: identity.digest.users: has a name that is already there',
    ]);
    expect(loaded(digest('wrong.txt')).configuration).toBeUndefined();
  });

  test('a user with the PSI of an MC service server', () => {
    file('server.txt', line('core', 'blue.example', 'sip:mcptt@BLUE.example'));
    expect(problems(digest('server.txt'))).toEqual([
      'server.txt:1: identity.digest.users: names the PSI of an MC service server',
    ]);
  });

  test('a file that others may read, or that names nobody, is a warning', () => {
    file('open.txt', '# nobody yet\n');
    chmodSync(join(folder, 'open.txt'), 0o644);
    expect(problems(digest('open.txt'))).toEqual([
      'gateway.yaml:5: identity.digest.users: warning: open.txt can be read by others than its owner',
      'gateway.yaml:5: identity.digest.users: warning: open.txt names no user',
    ]);
  });

  test('a realm that cannot stand in a challenge', () => {
    expect(problems('digest: { realm: "blå", users: users.txt }')).toEqual([
      'gateway.yaml:5: identity.digest.realm: must be printable ASCII',
    ]);
  });
});
