// Digest authentication: the RFC's own examples, every way to be wrong, replay, and hostile header fields.
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Refusal } from '../refusals.ts';
import { challenges, type DigestRealm, digestAuthenticator, digestResponse, verifyDigest } from './digest.ts';
import { digestBrake } from './digest-brake.ts';
import { isDigest, parseDigestAuthorization } from './digest-header.ts';
import { digestNonces } from './digest-nonces.ts';
import { digestUserLine, parseDigestUsers } from './digest-users.ts';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function refusalOf(action: () => unknown): Refusal {
  try {
    action();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('RFC 7616 3.9.1: example with SHA-256 and MD5', () => {
  const realm: DigestRealm = {
    realm: 'http-auth@example.org',
    users: parseDigestUsers(
      digestUserLine('Mufasa', 'http-auth@example.org', 'Circle of Life', ['sip:mufasa@example.org']),
      'http-auth@example.org',
    ),
  };
  const header = (algorithm: string, response: string): string =>
    [
      'Digest username="Mufasa"',
      'realm="http-auth@example.org"',
      'uri="/dir/index.html"',
      `algorithm=${algorithm}`,
      'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"',
      'nc=00000001',
      'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"',
      'qop=auth',
      `response="${response}"`,
      'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
    ].join(',\t');
  const request = { method: 'GET', requestTarget: '/dir/index.html' };

  test.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('the response with %s is right', (algorithm, response) => {
    const authorization = parseDigestAuthorization(header(algorithm, response));
    expect(verifyDigest(realm, request, authorization)).toEqual({
      user: expect.objectContaining({ name: 'Mufasa', identities: ['sip:mufasa@example.org'] }),
    });
    const other = parseDigestAuthorization(header(algorithm, response.replace(/.$/, '0')));
    expect(verifyDigest(realm, request, other)).toEqual({ wrong: 'the response of Mufasa is wrong' });
  });

  test('RFC 7616 3.4.3: the method is part of the response', () => {
    const authorization = parseDigestAuthorization(header('MD5', '8ca523f5e9506fed4657c9700eebdbec'));
    expect(verifyDigest(realm, { ...request, method: 'DELETE' }, authorization)).toHaveProperty('wrong');
  });
});

describe('RFC 7616 3.9.2: userhash and username*', () => {
  const common =
    'realm="api@example.org", uri="/doe.json", algorithm=SHA-512-256, nonce="n", nc=00000001, cnonce="c", qop=auth, ' +
    'response="ae66e67d6b427bd3f120414a82e4acff38e8ecd9101d6c861229025f607a79dd"';

  test('username* carries UTF-8, and userhash=false goes with it', () => {
    const parsed = parseDigestAuthorization(`Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, ${common}, userhash=false`);
    expect(parsed).toMatchObject({ username: 'Jäsøn Doe', userhash: false });
  });

  test.each([
    [`username="a", username*=UTF-8''a, ${common}`],
    [`username*=UTF-8''a, userhash=true, ${common}`],
    [`username*=ISO-8859-1''a, ${common}`],
    [`username*=UTF-8''%E4, ${common}`],
    [`username="a", userhash=maybe, ${common}`],
    [common],
  ])('RFC 7616 3.4: an ambiguous or missing name is a bad request: %s', (parameters) => {
    expect(refusalOf(() => parseDigestAuthorization(`Digest ${parameters}`)).code).toBe('bad-request');
  });

  test.each(['MD5', 'SHA-256'] as const)('RFC 7616 3.4.4: a name hashed with %s finds its user', (algorithm) => {
    const hash = algorithm === 'MD5' ? md5 : sha256;
    const users = parseDigestUsers(digestUserLine('Jäsøn Doe', 'r', 'x', ['tel:+1']), 'r');
    const { username: _, ...rest } = parseDigestAuthorization(`Digest username="x", ${common}`);
    const authorization = {
      ...rest,
      username: hash('Jäsøn Doe:r').toUpperCase(),
      userhash: true,
      realm: 'r',
      algorithm,
    };
    const response = digestResponse(algorithm, hash('Jäsøn Doe:r:x'), 'GET', authorization);
    const request = { method: 'GET', requestTarget: '/doe.json' };
    expect(verifyDigest({ realm: 'r', users }, request, { ...authorization, response })).toHaveProperty('user');
    const plain = { ...authorization, response, userhash: false };
    expect(verifyDigest({ realm: 'r', users }, request, plain)).toHaveProperty('wrong');
  });
});

describe('RFC 7616 3.3: challenges', () => {
  test('one for each algorithm, SHA-256 before MD5, offering auth alone', () => {
    expect(challenges({ realm: 'gms.blue.example', nonce: 'n1', opaque: 'o' })).toEqual([
      'Digest realm="gms.blue.example", qop="auth", algorithm=SHA-256, nonce="n1", opaque="o", charset=UTF-8, userhash=true',
      'Digest realm="gms.blue.example", qop="auth", algorithm=MD5, nonce="n1", opaque="o"',
    ]);
  });

  test('stale is a token, and quotes in the realm are escaped', () => {
    expect(challenges({ realm: 'a"b', nonce: 'n', stale: true, algorithms: ['MD5'] })).toEqual([
      'Digest realm="a\\"b", qop="auth", algorithm=MD5, nonce="n", stale=true',
    ]);
  });

  test('a realm that would break the header field is refused', () => {
    expect(() => challenges({ realm: 'a\r\nb', nonce: 'n' })).toThrow();
  });
});

/** A server with one user, a clock that can be set, and a client that answers its challenges. */
function system(overrides: Partial<DigestRealm> = {}, capacity = 100) {
  const clock = { now: 1_800_000_000_000 };
  const name = 'gms.blue.example';
  const line = digestUserLine('alice', name, 'pa:ss"wörd', ['sip:alice@blue.example']);
  const realm: DigestRealm = { realm: name, users: parseDigestUsers(line, name), ...overrides };
  const secret = randomBytes(32);
  const nonces = digestNonces({
    secret,
    realm: name,
    lifetimeSeconds: 60,
    capacity,
    now: () => clock.now,
    random: randomBytes,
  });
  const authenticator = digestAuthenticator(realm, nonces, digestBrake({ now: () => clock.now }));
  const request = { method: 'PUT', requestTarget: '/xcap-root/resource-lists/users/sip:alice@blue.example/index' };
  const newNonce = (values: readonly string[] = authenticator.challenges()): string =>
    /nonce="([^"]+)"/.exec(values[0] ?? '')?.[1] ?? '';
  const answer = (changes: Record<string, string> = {}): string => {
    const fields: Record<string, string> = {
      username: 'alice',
      realm: name,
      nonce: newNonce(),
      uri: request.requestTarget,
      password: 'pa:ss"wörd',
      nc: '00000001',
      ...changes,
    };
    const { username = '', nonce = '', uri = '', nc = '' } = fields;
    const response = sha256(
      `${sha256(`${username}:${fields.realm}:${fields.password}`)}:${nonce}:${nc}:0a4f113b:auth:${sha256(`PUT:${uri}`)}`,
    );
    return `Digest username="${username}", realm="${fields.realm}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=SHA-256, cnonce="0a4f113b", qop=auth, nc=${nc}`;
  };
  const verify = (header: string, target = request.requestTarget, peerAddress = '192.0.2.1') =>
    authenticator.verify({ ...request, requestTarget: target, peerAddress }, header);
  return { clock, authenticator, nonces, newNonce, answer, verify, name };
}

describe('RFC 7616 5.7: guesses are limited', () => {
  test('RFC 6585 4: after 20 wrong responses even a right one is 429 with Retry-After until time has passed', () => {
    const { verify, answer, clock } = system();
    const guess = () => refusalOf(() => verify(answer({ password: 'guess' })));
    for (let count = 0; count < 20; count++) expect(guess().code).toBe('credentials-required');
    expect(guess()).toMatchObject({ code: 'too-many-attempts', row: { status: 429 }, detail: { retryAfter: 6 } });
    expect(refusalOf(() => verify(answer())).code).toBe('too-many-attempts');
    clock.now += 6_000;
    expect(verify(answer()).name).toBe('alice');
  });

  test('a wrong password repeated by its user from elsewhere does not lock out the one who has proven himself', () => {
    const { verify, answer } = system();
    expect(verify(answer()).name).toBe('alice');
    for (let count = 0; count < 25; count++) {
      refusalOf(() => verify(answer({ password: 'guess' }), undefined, `198.51.100.${count}`));
    }
    expect(verify(answer()).name).toBe('alice');
    expect(refusalOf(() => verify(answer(), undefined, '203.0.113.1')).code).toBe('too-many-attempts');
  });
});

describe('RFC 7616 3.4: which credentials are accepted', () => {
  test('a right response is the user, whose password may hold colons and quotes', () => {
    const { verify, answer } = system();
    expect(verify(answer()).identities).toEqual(['sip:alice@blue.example']);
  });

  test.each<[string, Record<string, string>, string]>([
    ['a wrong password', { password: 'guess' }, 'the response of alice is wrong'],
    ['an unknown user', { username: 'mallory' }, 'no such user with this algorithm'],
    ['another realm', { realm: 'gms.red.example' }, 'the realm is not ours'],
  ])('RFC 7616 3.3: %s is 401 with fresh challenges that are not stale', (_, changes, cause) => {
    const { verify, answer, newNonce } = system();
    const { code, phrase, detail } = refusalOf(() => verify(answer(changes)));
    expect([code, detail.cause]).toEqual(['credentials-required', `Digest credentials: ${cause}`]);
    expect(phrase).toBe('The credentials are not accepted');
    expect(detail.challenges?.join()).not.toContain('stale');
    expect(verify(answer({ nonce: newNonce(detail.challenges) })).name).toBe('alice');
  });

  test('RFC 7616 3.4.6: a uri that is not the request target is 400', () => {
    const { verify, answer } = system();
    const { code, detail } = refusalOf(() => verify(answer({ uri: '/xcap-root/xcap-caps/global/index' })));
    expect([code, detail.cause]).toEqual(['bad-request', 'Digest credentials: uri is not the request target']);
  });

  test.each([
    ['/a/sip%3ab@c/%7Ex/%5b1%5d', '/a/sip%3Ab@c/~x/[1]', true],
    ['/l/~~/l/list[@name="x"]', '/l/~~/l/list%5B@name=%22x%22%5D', true],
    ['/l/~~/l/list[@name=\\"x\\"]', '/l/~~/l/list[@name="x"]', true],
    ['/a/b%2Fc', '/a/b/c', false],
    ['/a/b%40c', '/a/b@c', false],
    ['/a/B', '/a/b', false],
    ['/a/b', '/a/b?', false],
    ['/a/./b', '/a/b', false],
    ['http://gms.blue.example/a', '/a', false],
    ['/a%zz', '/a%zz', true],
  ])('RFC 3986 6.2.2: uri %s for the target %s: %s', (uri, target, accepted) => {
    const { verify, answer } = system();
    const header = answer({ uri: uri.replaceAll('\\', '') }).replace(uri.replaceAll('\\', ''), () => uri);
    if (accepted) expect(verify(header, target).name).toBe('alice');
    else expect(refusalOf(() => verify(header, target)).code).toBe('bad-request');
  });

  test('RFC 7616 3.4: auth-int and session algorithms were not offered', () => {
    const { verify, answer } = system();
    expect(refusalOf(() => verify(answer().replace('qop=auth', 'qop=auth-int'))).code).toBe('bad-request');
    const { code, detail } = refusalOf(() => verify(answer().replace('SHA-256', 'SHA-256-sess')));
    expect([code, detail.cause]).toEqual(['credentials-required', 'Digest credentials: the algorithm was not offered']);
  });

  test('an algorithm that is switched off is neither offered nor accepted', () => {
    const { verify, answer, authenticator } = system({ algorithms: ['MD5'] });
    expect(authenticator.challenges()).toHaveLength(1);
    expect(refusalOf(() => verify(answer())).code).toBe('credentials-required');
  });
});

describe('RFC 7616 5.4 and 5.5: nonces', () => {
  const stale = (action: () => unknown): boolean => {
    const { code, detail } = refusalOf(action);
    return (
      code === 'credentials-required' && detail.challenges?.every((value) => value.includes('stale=true')) === true
    );
  };

  test('RFC 7616 3.4: nc must grow: the same request again is refused as stale, a larger count is accepted', () => {
    const { verify, answer, newNonce } = system();
    const nonce = newNonce();
    const first = answer({ nonce, nc: '0000000a' });
    expect(verify(first).name).toBe('alice');
    expect(stale(() => verify(first))).toBe(true);
    expect(stale(() => verify(answer({ nonce, nc: '00000009' })))).toBe(true);
    expect(verify(answer({ nonce, nc: '0000000b' })).name).toBe('alice');
  });

  test('RFC 7616 3.4: nc in capital letters counts and is hashed as it was sent', () => {
    const { verify, answer, newNonce } = system();
    const nonce = newNonce();
    expect(verify(answer({ nonce, nc: '0000000A' })).name).toBe('alice');
    expect(stale(() => verify(answer({ nonce, nc: '0000000a' })))).toBe(true);
  });

  test('a wrong response with a larger count does not use up the nonce of the user', () => {
    const { verify, answer, newNonce } = system();
    const nonce = newNonce();
    refusalOf(() => verify(answer({ nonce, nc: 'ffffffff', password: 'guess' })));
    expect(verify(answer({ nonce })).name).toBe('alice');
  });

  test('an expired nonce is stale, and the one of the new challenge is good', () => {
    const { verify, answer, newNonce, clock } = system();
    const header = answer();
    clock.now += 60_000;
    const { detail } = refusalOf(() => verify(header));
    expect(detail.challenges?.[0]).toContain('stale=true');
    expect(verify(answer({ nonce: newNonce(detail.challenges) })).name).toBe('alice');
  });

  test('RFC 7616 3.3: an expired nonce with a wrong password is not stale', () => {
    const { verify, answer, clock } = system();
    const header = answer({ password: 'guess' });
    clock.now += 60_000;
    expect(stale(() => verify(header))).toBe(false);
  });

  test('a nonce of another server, a shortened and a re-spelled one are stale', () => {
    const { verify, answer, newNonce } = system();
    const own = newNonce();
    const nonces = [
      system().newNonce(),
      own.slice(0, -1),
      `${own}=`,
      own.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      '',
    ];
    for (const nonce of nonces) expect(stale(() => verify(answer({ nonce })))).toBe(true);
    expect(verify(answer({ nonce: own })).name).toBe('alice');
  });

  test('when the table of counts is full, what was forgotten cannot be replayed', () => {
    const { verify, answer, newNonce, clock } = system({}, 4);
    const headers = Array.from({ length: 4 }, () => answer());
    for (const header of headers) expect(verify(header).name).toBe('alice');
    const idle = newNonce();
    clock.now += 1;
    expect(verify(answer()).name).toBe('alice');
    for (const header of headers) expect(stale(() => verify(header))).toBe(true);
    expect(stale(() => verify(answer({ nonce: idle })))).toBe(true);
    expect(verify(answer()).name).toBe('alice');
  });

  test('RFC 7616 3.3: every challenge has a nonce of its own', () => {
    const { newNonce } = system();
    expect(new Set(Array.from({ length: 100 }, () => newNonce())).size).toBe(100);
  });

  test('a short secret is refused', () => {
    const options = { realm: 'r', now: Date.now, random: randomBytes };
    expect(() => digestNonces({ ...options, secret: Buffer.from('short') })).toThrow('at least 16');
  });
});

describe('RFC 2069: clients without qop', () => {
  const legacy = (nonce: string, name: string): string => {
    const uri = '/xcap-root/resource-lists/users/sip:alice@blue.example/index';
    const response = md5(`${md5(`alice:${name}:pa:ss"wörd`)}:${nonce}:${md5(`PUT:${uri}`)}`);
    return `Digest username="alice", realm="${name}", nonce="${nonce}", uri="${uri}", response="${response}"`;
  };

  test('are refused', () => {
    const { verify, newNonce, name } = system();
    const { code, detail } = refusalOf(() => verify(legacy(newNonce(), name)));
    expect([code, detail.cause]).toEqual(['bad-request', 'Digest credentials: qop is missing']);
  });

  test('are accepted once for each nonce when configured', () => {
    const { verify, newNonce, name } = system({ acceptMissingQop: true });
    const header = legacy(newNonce(), name);
    expect(verify(header).name).toBe('alice');
    expect(refusalOf(() => verify(header)).detail.challenges?.[1]).toContain('stale=true');
  });

  test('never with SHA-256, which RFC 2069 does not know', () => {
    const { verify, newNonce, name } = system({ acceptMissingQop: true });
    expect(refusalOf(() => verify(`${legacy(newNonce(), name)}, algorithm=SHA-256`)).code).toBe('bad-request');
  });
});

describe('RFC 9110 11.4 and RFC 7616 3.4: the header field', () => {
  const good =
    'Digest username="a", realm="r", nonce="n", uri="/x", response="00ff", cnonce="c", qop=auth, nc=00000001';

  test('the scheme is told from others', () => {
    expect(['Digest x', 'DIGEST', 'digest\tx', 'Digestive x', 'Bearer x', ''].map(isDigest)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test('commas, escaped quotes and equals signs in quotes belong to the value', () => {
    const parsed = parseDigestAuthorization(good.replace('realm="r"', String.raw`realm="a, b=\"c\", nc=1\\"`));
    expect(parsed.realm).toBe(String.raw`a, b="c", nc=1\ `.trim());
  });

  test('names ignore case, tokens may be quoted, white space and empty elements do not count', () => {
    const parsed = parseDigestAuthorization(
      'dIGEST  , USERNAME = "a" ,, Realm="r",nonce="n", uri="/x",response="00FF",cnonce="c",\tqop="Auth" , nc="0000001F",',
    );
    expect(parsed).toEqual({
      username: 'a',
      userhash: false,
      realm: 'r',
      nonce: 'n',
      uri: '/x',
      response: '00ff',
      algorithm: 'MD5',
      protection: { qop: 'auth', nc: 31, nonceCount: '0000001F', cnonce: 'c' },
    });
  });

  test.each([
    ['/r/~~/resource-lists/list[@name="friends"]', ', qop=auth'],
    ['/r/~~/a[@b="c"]/d[@e="f"]', ''],
    ['/r/~~/a[@b="c, d"]/e', ' , '],
  ])('a node selector keeps its raw quotes: %s', (uri, after) => {
    const header = `Digest username="a", realm="r", nonce="n", response="00", cnonce="c", nc=00000001, uri="${uri}"${after}`;
    expect(parseDigestAuthorization(header).uri).toBe(uri);
  });

  test('an escaped quote never ends a uri', () => {
    const header = String.raw`Digest username="a", realm="r", nonce="n", response="00", uri="/x[\"a\", b=c]"`;
    expect(parseDigestAuthorization(header).uri).toBe('/x["a", b=c]');
  });

  test('raw quotes are tolerated in uri alone', () => {
    expect(refusalOf(() => parseDigestAuthorization(good.replace('"r"', '"a"b"'))).code).toBe('bad-request');
  });

  test('RFC 7616 4: a name is UTF-8, or else ISO 8859-1', () => {
    const octets = Buffer.from('Jäs', 'utf8').toString('latin1');
    expect(parseDigestAuthorization(good.replace('"a"', `"${octets}"`)).username).toBe('Jäs');
    expect(parseDigestAuthorization(good.replace('"a"', '"J\u00e4s"')).username).toBe('Jäs');
  });

  test.each([
    ['another scheme', 'Basic YTpi'],
    ['nothing after the scheme', 'Digest'],
    ['a duplicate parameter', `${good}, REALM="r2"`],
    ['a duplicate unknown parameter', `${good}, x=1, x=1`],
    ['an open quote', good.replace('"n"', '"n')],
    ['an open quote in uri', good.replace(/uri=.*/, 'uri="/x')],
    ['an escape at the end', `${good}, x="\\`],
    ['no comma', good.replace('"a",', '"a"')],
    ['a name without value', `${good}, x`],
    ['a value that is no token', `${good}, x=a/b`],
    ['nc of seven digits', good.replace('nc=00000001', 'nc=0000001')],
    ['nc of zero', good.replace('nc=00000001', 'nc=00000000')],
    ['nc missing', good.replace(', nc=00000001', '')],
    ['cnonce missing', good.replace(' cnonce="c",', '')],
    ['uri missing', good.replace(' uri="/x",', '')],
    ['a response that is no hexadecimal', good.replace('00ff', 'xyz')],
    ['a line break', `${good},\r\n x=1`],
    ['a character that is no octet', good.replace('"a"', '"\u0141"')],
    ['too many parameters', `${good}${Array.from({ length: 40 }, (_, index) => `, p${index}=1`).join('')}`],
    ['a field of more than 16 KB', `${good}, x="${'a'.repeat(16 * 1024)}"`],
  ])('%s is a bad request', (_, header) => {
    const { code, detail, phrase } = refusalOf(() => parseDigestAuthorization(header));
    expect([code, phrase]).toEqual(['bad-request', 'The Digest credentials cannot be understood']);
    expect(detail.cause).toMatch(/^Digest credentials: [\w* ]+$/);
  });

  const onlyRefusals = (action: () => unknown): void => {
    try {
      action();
    } catch (error) {
      expect(error).toBeInstanceOf(Refusal);
    }
  };

  test('whatever arrives, nothing but a Refusal is thrown', () => {
    const { verify } = system();
    const piece = fc.oneof(
      fc.constantFrom(
        'Digest ',
        '"',
        '\\',
        ',',
        ' ',
        '=',
        'uri=',
        'username="a"',
        'realm=',
        'nc=00000001',
        'username*=',
        '%',
      ),
      fc.string({ maxLength: 5, unit: 'binary' }),
    );
    const pieces = fc.array(piece, { maxLength: 30 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(pieces, (text) => onlyRefusals(() => verify(text))),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(pieces, (text) => onlyRefusals(() => verify(`Digest ${text}`))),
      { numRuns: 1000 },
    );
  });

  test('a sound field changed in one place gives a sound result or a Refusal', () => {
    const { answer, verify } = system();
    const sound = answer();
    const change = fc.tuple(fc.nat(sound.length), fc.nat(3), fc.string({ maxLength: 3, unit: 'grapheme' }));
    fc.assert(
      fc.property(change, ([at, gone, put]) =>
        onlyRefusals(() => verify(sound.slice(0, at) + put + sound.slice(at + gone))),
      ),
      { numRuns: 500 },
    );
  });

  test('whatever a quoted string holds comes back as it was', () => {
    const octet = fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f && (code < 0x80 || code > 0x9f));
    const value = fc.array(octet, { minLength: 1, maxLength: 30 }).map((codes) => String.fromCharCode(...codes));
    fc.assert(
      fc.property(value, (text) => {
        const escaped = text.replace(/["\\]/g, '\\$&');
        const parsed = parseDigestAuthorization(
          good.replace('"r"', () => `"${escaped}"`).replace('"/x"', () => `"${escaped}"`),
        );
        expect([parsed.realm, parsed.uri]).toEqual([text, text]);
      }),
    );
  });

  test.each([['",'], ['\\"'], ['" '], ['"a'], ['",a'], ['a='], [', '], ['x="'], ['"="']])(
    'the longest field made of %j is judged in linear time',
    (unit) => {
      const header = `Digest uri="${unit.repeat(8000)}`.slice(0, 16 * 1024);
      const started = performance.now();
      for (let round = 0; round < 20; round++) onlyRefusals(() => parseDigestAuthorization(header));
      // About 1 ms each when linear, above 100 ms when quadratic
      expect(performance.now() - started).toBeLessThan(1000);
    },
  );
});

describe('RFC 7616 5.2: the users file', () => {
  const realm = 'xcap:8080';
  const line = digestUserLine('bob', realm, 'a:b', ['sip:Bob@BLUE.example', 'tel:+1-2']);

  test('a line holds hashes, no password, and canonical identities are read from it', () => {
    expect(line).toBe(
      `bob:xcap:8080:${md5('bob:xcap:8080:a:b')}:${sha256('bob:xcap:8080:a:b')}:sip:Bob@BLUE.example tel:+1-2`,
    );
    const users = parseDigestUsers(`# users\n\n${line}\r\n`, realm);
    expect(users.count).toBe(1);
    expect(users.byName('bob')?.identities).toEqual(['sip:Bob@blue.example', 'tel:+12']);
    expect(users.byName('Bob')).toBeUndefined();
  });

  test('a hyphen stands for an algorithm that the user shall not use', () => {
    const users = parseDigestUsers(line.replace(/[0-9a-f]{32}:/, '-:'), realm);
    expect(users.byName('bob')?.secrets).toEqual({ MD5: undefined, 'SHA-256': sha256('bob:xcap:8080:a:b') });
  });

  test('RFC 7616 4: a decomposed name is the composed one', () => {
    const users = parseDigestUsers(digestUserLine('Ja\u0308s', 'r', 'x', ['tel:+1']), 'r');
    expect(users.byName('J\u00e4s')).toBe(users.byName('Ja\u0308s'));
    expect(users.byName('J\u00e4s')?.name).toBe('J\u00e4s');
  });

  test('every wrong line is named by its number and none is quoted', () => {
    const lines = [
      line,
      line,
      'carol:secret',
      line.replaceAll(realm, 'other'),
      `dan:${realm}:-:-:sip:dan@blue.example`,
      `${line.replace('bob', 'eve')} nonsense`,
    ];
    expect(() => parseDigestUsers(lines.join('\n'), realm)).toThrow(
      'line 2: has a name that is already there; line 3: is not name:realm:MD5:SHA-256:identity; line 4: is of another realm; line 5: has no hash; line 6: has an identity that is not a URI',
    );
  });
});
