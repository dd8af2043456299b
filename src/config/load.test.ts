import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writeLabCertificates } from './lab-certificates.ts';
import { checkConfiguration, type LoadedConfiguration, loadConfiguration, problemLine } from './load.ts';
import { parseYaml } from './yaml-source.ts';

const now = Date.UTC(2026, 0, 15);
const day = 24 * 60 * 60 * 1000;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-config-'));
  await writeLabCertificates({ folder, force: false, days: 100, now });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const smallest = `system:
  name: blue
  domains: [blue.example]
  gms: sip:gms@blue.example
xcap:
  listen: { port: 8080 }
  root: http://127.0.0.1:8080/xcap-root
storage: { sqlite: data/blue.db }
`;

const interconnected = `${smallest}interconnect:
  listen: { port: 8081, tls: { cert: blue.crt, key: blue.key, clientCa: ca.crt } }
  root: https://gms.blue.example:8081/xcap-root
partners:
  - name: red
    domains: [red.example]
    gms: sip:gms@red.example
    xcapRoots: [https://gms.red.example/xcap-root]
    certificates: [{ san: gms.red.example }]
    agreement:
      weRequest: [{ groups: "sip:*@red.example" }]
`;

function loaded(text: string, at = now): LoadedConfiguration {
  return checkConfiguration(parseYaml(join(folder, 'gateway.yaml'), text), at);
}

function problems(text: string, at = now): readonly string[] {
  return loaded(text, at).problems.map((problem) => problemLine(problem).slice(folder.length + 1));
}

describe('a sound configuration', () => {
  test('has every default filled in and absolute file names', () => {
    const { configuration, problems: found } = loaded(interconnected);
    expect(found).toEqual([]);
    expect(configuration?.storage.sqlite).toBe(join(folder, 'data/blue.db'));
    expect(configuration?.interconnect?.listen.tls?.key).toBe(join(folder, 'blue.key'));
    expect(configuration?.interconnect?.retry).toEqual({ first: 1, ceiling: 300 });
    expect(configuration?.identity).toEqual({ trustedProxies: [], missingCredentials: 403 });
    expect(configuration?.partners[0]?.provide).toEqual({ to: 'byGroupID' });
  });

  test('keeps administrators with and without patterns in one shape', () => {
    const text = smallest.replace(
      'xcap:',
      '  administrators: [sip:a@blue.example, { id: sip:b@blue.example, groups: ["sip:x*@blue.example"] }]\nxcap:',
    );
    expect(loaded(text).configuration?.system.administrators).toEqual([
      { id: 'sip:a@blue.example' },
      { id: 'sip:b@blue.example', groups: ['sip:x*@blue.example'] },
    ]);
  });

  test.each(['red', 'blue'])(
    'the example config/%s.yaml is sound but for certificates that are not created yet',
    (name) => {
      const { problems: found } = loadConfiguration(join(import.meta.dirname, `../../config/${name}.yaml`), Date.now());
      expect(found.filter(({ key }) => !/\.tls\./.test(key))).toEqual([]);
    },
  );
});

describe('a file that is no configuration', () => {
  test('is named when it does not exist', () => {
    const file = join(folder, 'nowhere.yaml');
    expect(loadConfiguration(file, now).problems.map(problemLine)).toEqual([`${file}:1: (file): does not exist`]);
  });

  test('lists what it misses when it is empty', () => {
    expect(problems('')).toEqual([
      'gateway.yaml:1: system: is required',
      'gateway.yaml:1: xcap: is required',
      'gateway.yaml:1: storage: is required',
    ]);
  });

  test('is refused with the line of what is no YAML', () => {
    expect(problems('system:\n  name: "blue\n')).toEqual([
      expect.stringMatching(/^gateway\.yaml:\d: yaml: missing closing/),
    ]);
  });

  test('is refused with the line of a key that stands there twice', () => {
    expect(problems(`${smallest}storage: { sqlite: other.db }\n`)).toEqual([
      'gateway.yaml:9: storage: stands here twice',
    ]);
  });

  test('is refused when aliases multiply', () => {
    const bomb = [
      'a: &a [x, x]',
      ...'bcdefghijk'.split('').map((key, index) => `${key}: &${key} [${`*${'abcdefghij'[index]}, `.repeat(9)}]`),
    ];
    expect(problems(bomb.join('\n'))).toEqual([expect.stringContaining('alias')]);
  });
});

describe('each problem names line, key and cause', () => {
  test.each<[rule: string, from: string, to: string, expected: string]>([
    [
      'an unknown key and the one that was meant',
      'domains: [blue',
      'domain: [blue',
      '3: system.domain: unknown key, did you mean domains?',
    ],
    ['two letters exchanged', 'name: blue', 'nmae: blue', '2: system.nmae: unknown key, did you mean name?'],
    ['a key that is cut short', 'domains: [blue', 'dom: [blue', '3: system.dom: unknown key, did you mean domains?'],
    ['a section misspelt', 'storage:', 'stroage:', '8: stroage: unknown key, did you mean storage?'],
    [
      'a value misspelt',
      'storage:',
      'logging: { level: wran }\nstorage:',
      '8: logging.level: must be one of debug, info, warn, error, silent, did you mean warn?',
    ],
    [
      'an unknown key where there is a choice',
      'xcap:',
      '  administrators: [{ id: sip:a@blue.example, gruops: [] }]\nxcap:',
      '5: system.administrators[0].gruops: unknown key, did you mean groups?',
    ],
    [
      'a token that no header field can carry',
      'storage:',
      'manage: { listen: { port: 1 }, token: two words }\nstorage:',
      '8: manage.token: must be printable ASCII without spaces',
    ],
    ['an unknown key unlike any other', 'storage:', 'colour: red\nstorage:', '8: colour: unknown key'],
    [
      'a required key at the line of its parent',
      '  root: http://127.0.0.1:8080/xcap-root\n',
      '',
      '5: xcap.root: is required',
    ],
    ['a value of the wrong kind', '8080 }', 'eighty }', '6: xcap.listen.port: must be a number'],
    ['a port out of range', '8080 }', '80800 }', '6: xcap.listen.port: must be at most 65535'],
    ['an empty list', '[blue.example]', '[]', '3: system.domains: must not be empty'],
    ['an empty section', '{ sqlite: data/blue.db }', '', '8: storage: must be a group of keys'],
    ['a root that ends with a slash', '/xcap-root', '/', '7: xcap.root: must not end with a slash'],
    [
      'a domain given twice',
      '[blue.example]',
      '[blue.example, Blue.Example]',
      '3: system.domains[1]: domain blue.example stands here twice',
    ],
    [
      'a PSI used twice',
      'xcap:',
      '  servers: ["sip:gms@BLUE.example"]\nxcap:',
      '5: system.servers[0]: sip:gms@BLUE.example already stands in system.gms or system.servers',
    ],
    [
      'a creation XUI elsewhere',
      'xcap:',
      '  groupCreationXui: sip:groups@red.example\nxcap:',
      '5: system.groupCreationXui: must be in one of system.domains',
    ],
  ])('%s', (_rule, from, to, expected) => {
    expect(problems(smallest.replace(from, to))).toContain(`gateway.yaml:${expected}`);
  });

  test.each<[rule: string, from: string, to: string, expected: string]>([
    [
      'a partner domain that is ours',
      'domains: [red.example]',
      'domains: [blue.example]',
      '14: partners[0].domains[0]: blue.example is one of system.domains',
    ],
    [
      'a pattern that covers nothing of the partner',
      'sip:*@red',
      'sip:*@rde',
      '19: partners[0].agreement.weRequest[0].groups: sip:*@rde.example matches no group of red.example',
    ],
    [
      'a pattern that covers nothing of ours',
      'weRequest',
      'weProvide',
      '19: partners[0].agreement.weProvide[0].groups: sip:*@red.example matches no group of blue.example',
    ],
    [
      'a request without an address',
      '    xcapRoots: [https://gms.red.example/xcap-root]\n',
      '',
      '18: partners[0].agreement.weRequest: needs xcapRoots to request from',
    ],
    [
      'a partner root without TLS',
      '[https://gms.red',
      '[http://gms.red',
      '16: partners[0].xcapRoots[0]: must be https: partners authenticate each other by certificate',
    ],
    [
      'a certificate of neither kind',
      'san: gms.red',
      'sam: gms.red',
      '17: partners[0].certificates[0]: must be { san: NAME } or { spki: HASH }',
    ],
    [
      'a certificate with a misspelt key',
      'san: gms.red',
      'sna: gms.red',
      '17: partners[0].certificates[0].sna: unknown key, did you mean san?',
    ],
    [
      'no client CA for partners',
      ', clientCa: ca.crt',
      '',
      '10: interconnect.listen.tls: needs tls with cert, key and clientCa: partners are recognised by their certificate',
    ],
    [
      'an agreement that ends before it begins',
      'agreement:',
      'agreement:\n      validFrom: 2026-02-01T00:00:00Z\n      validUntil: 2026-01-01T00:00:00Z',
      '20: partners[0].agreement.validUntil: must be after validFrom',
    ],
    [
      'a state that does not exist',
      'agreement:',
      'agreement:\n      state: on',
      '19: partners[0].agreement.state: must be one of dormant, active, suspended',
    ],
    [
      'a listener on a taken port',
      'port: 8081,',
      'port: 8080,',
      '10: interconnect.listen.port: 127.0.0.1:8080 is already taken by xcap.listen.port',
    ],
    [
      'management beyond loopback without TLS',
      'partners:',
      'manage: { listen: { host: 0.0.0.0, port: 1 }, token: long-enough }\npartners:',
      '12: manage.listen.host: is not a loopback address, which needs tls',
    ],
    [
      'a certificate that does not exist',
      'cert: blue.crt',
      'cert: green.crt',
      '10: interconnect.listen.tls.cert: {folder}/green.crt does not exist',
    ],
    [
      'a key of another certificate',
      'key: blue.key',
      'key: red.key',
      '10: interconnect.listen.tls.key: is not the key of {folder}/blue.crt',
    ],
    [
      'a file that is no certificate',
      'cert: blue.crt',
      'cert: blue.key',
      '10: interconnect.listen.tls.cert: {folder}/blue.key holds no PEM certificate',
    ],
    [
      'a client CA that is none',
      'clientCa: ca.crt',
      'clientCa: blue.crt',
      '10: interconnect.listen.tls.clientCa: {folder}/blue.crt holds a certificate that is no CA',
    ],
  ])('%s', (_rule, from, to, expected) => {
    expect(problems(interconnected.replace(from, to))).toContain(
      `gateway.yaml:${expected.replace('{folder}', folder)}`,
    );
  });

  test.each<[rule: string, sip: string, expected: readonly string[]]>([
    ['every transport, both families', '[udp:127.0.0.1:5060, "tcp:[::1]:5060", ws:127.0.0.1:5066]', []],
    [
      'TLS without certificate',
      '[tls:127.0.0.1:5061]',
      ['10: sip.listen[0]: tls:127.0.0.1:5061 needs sip.tls with cert and key'],
    ],
    [
      'a name instead of an address',
      '[udp:sip.blue.example:5060]',
      ['10: sip.listen[0]: sip.blue.example is no address to listen on'],
    ],
    [
      'an unknown transport',
      '[sctp:127.0.0.1:5060]',
      ['10: sip.listen[0]: must be udp:, tcp:, tls:, ws: or wss: followed by ADDRESS:PORT, IPv6 in brackets'],
    ],
    [
      'two listeners on one port',
      '[tcp:127.0.0.1:5060, ws:127.0.0.1:5060]',
      ['10: sip.listen[1]: 127.0.0.1:5060 is already taken by sip.listen.0'],
    ],
  ])('SIP listeners: %s', (_rule, listen, expected) => {
    const text = `${smallest}sip:\n  listen: ${listen}\n`;
    expect(problems(text)).toEqual(expected.map((problem) => `gateway.yaml:${problem}`));
  });

  test('TLS files of SIP are looked at', () => {
    const text = (key: string): string =>
      `${smallest}sip:\n  listen: [tls:127.0.0.1:5061]\n  tls: { cert: blue.crt, key: ${key}, ca: ca.crt }\n`;
    expect(problems(text('blue.key'))).toEqual([]);
    expect(problems(text('red.key'))).toEqual([`gateway.yaml:11: sip.tls.key: is not the key of ${folder}/blue.crt`]);
    expect(loaded(text('blue.key')).configuration?.sip?.tls?.ca).toBe(join(folder, 'ca.crt'));
  });

  test.each<[rule: string, sip: string, expected: readonly string[]]>([
    ['with a CA', 'tls: { cert: blue.crt, key: blue.key, ca: ca.crt, requireClientCertificate: true }', []],
    [
      'without one',
      'tls: { cert: blue.crt, key: blue.key, requireClientCertificate: true }',
      ['11: sip.tls.requireClientCertificate: needs sip.tls.ca, which client certificates chain to'],
    ],
  ])('RFC 5922 7.3: SIP client certificates are required %s', (_rule, tls, expected) => {
    const text = `${smallest}sip:\n  listen: [tls:127.0.0.1:5061]\n  ${tls}\n`;
    expect(problems(text)).toEqual(expected.map((problem) => `gateway.yaml:${problem}`));
    expect(expected.length > 0 || loaded(text).configuration?.sip?.tls?.requireClientCertificate).toBe(true);
  });

  test('an engine elsewhere: its frames, its control port over TLS', () => {
    const text = (more: string): string =>
      `${smallest}sip:\n  listen: [udp:127.0.0.1:5060]\n  engine: { drachtio: { host: 127.0.0.1, port: 9022, secret: s${more} } }\n`;
    expect(loaded(text('')).configuration?.sip?.engine).toMatchObject({ drachtio: { largestFrame: 12_000 } });
    expect(problems(text(', largestFrame: 1048576, tls: { port: 9023, cert: blue.crt, key: blue.key }'))).toEqual([]);
    expect(problems(text(', tls: { port: 9023, cert: blue.crt, key: red.key, clientCa: blue.crt }'))).toEqual([
      `gateway.yaml:11: sip.engine.drachtio.tls.key: is not the key of ${folder}/blue.crt`,
      `gateway.yaml:11: sip.engine.drachtio.tls.clientCa: ${folder}/blue.crt holds a certificate that is no CA`,
    ]);
  });

  test('RFC 3261 17.1.2.2: T2 is not below T1', () => {
    const text = `${smallest}sip:\n  listen: [udp:127.0.0.1:5060]\n  timers: { t1: 500, t2: 400 }\n`;
    expect(problems(text)).toEqual(['gateway.yaml:11: sip.timers.t2: must not be below sip.timers.t1']);
  });

  test('partners without interconnect', () => {
    expect(problems(interconnected.replace(/interconnect:\n.*\n.*\n/, ''))).toEqual([
      'gateway.yaml:9: partners: need the section interconnect',
    ]);
  });

  test('two partners with the same name, domain, GMS or certificate', () => {
    const second = interconnected.slice(interconnected.indexOf('  - name: red'));
    expect(problems(interconnected + second)).toEqual([
      'gateway.yaml:20: partners[1].name: another partner is called red',
      'gateway.yaml:21: partners[1].domains[0]: red.example belongs to partner red',
      'gateway.yaml:22: partners[1].gms: sip:gms@red.example is the GMS of partner red',
      'gateway.yaml:24: partners[1].certificates[0]: also stands for partner red',
    ]);
  });

  test('all at once, in the order of their lines', () => {
    const text = interconnected
      .replace('name: blue', 'name: blue\n  colour: dark')
      .replace('domains: [red.example]', 'domains: [blue.example]')
      .replace('san:', 'sni:');
    expect(problems(text)).toEqual([
      'gateway.yaml:3: system.colour: unknown key',
      'gateway.yaml:18: partners[0].certificates[0]: must be { san: NAME } or { spki: HASH }',
    ]);
    expect(problems(text.replace('sni:', 'san:'))).toHaveLength(3);
  });
});

describe('certificates in time', () => {
  test('one that expires within 30 days is a warning and no obstacle', () => {
    const { configuration, problems: found } = loaded(interconnected, now + 80 * day);
    expect(configuration).toBeDefined();
    expect(found.map(({ severity }) => severity)).toEqual(['warning', 'warning']);
    expect(problemLine(found[0] as (typeof found)[0])).toMatch(/tls\.cert: warning: .*blue\.crt expires in 20 days$/);
  });

  test('one that has expired is an error', () => {
    const { configuration, problems: found } = loaded(interconnected, now + 101 * day);
    expect(configuration).toBeUndefined();
    expect(found[0]?.text).toMatch(/blue\.crt expired on 2026-04-25/);
  });

  test('one that is not valid yet is an error', () => {
    expect(loaded(interconnected, now - day).problems[0]?.text).toMatch(/is not valid before/);
  });

  test('one that does not name the host of the root is a warning', () => {
    expect(problems(interconnected.replace('https://gms.blue', 'https://xcap.blue'))).toEqual([
      'gateway.yaml:10: interconnect.listen.tls.cert: warning: does not name xcap.blue.example, the host of interconnect.root',
    ]);
  });
});

test('a root on this machine with another port than the listener is a warning', () => {
  writeFileSync(join(folder, 'gateway.yaml'), smallest.replace(':8080/', ':8088/'));
  const { configuration, problems: found } = loadConfiguration(join(folder, 'gateway.yaml'), now);
  expect(configuration).toBeDefined();
  expect(found.map(({ severity, text }) => [severity, text])).toEqual([
    ['warning', 'names port 8088 of this machine but the listener has 8080'],
  ]);
});

describe('application usages', () => {
  const usages = (text: string): readonly string[] => problems(`${smallest}applicationUsages:\n${text}`);

  test('RFC 4825 5.1: an AUID that is built in, or stands there twice, is refused', () => {
    expect(
      usages(
        '  - { auid: resource-lists, mimeType: application/x }\n  - { auid: a.b, mimeType: application/x }\n  - { auid: a.b, mimeType: application/y }\n',
      ),
    ).toEqual([
      'gateway.yaml:10: applicationUsages[0].auid: resource-lists is built in',
      'gateway.yaml:12: applicationUsages[2]: AUID a.b stands here twice',
    ]);
  });

  test.each(['~~', 'a/b', '', 'a b', '..'])('%j is no AUID', (auid) => {
    expect(usages(`  - { auid: "${auid}", mimeType: application/x }\n`)[0]).toMatch(/^gateway.yaml:10: .*auid/);
  });

  test.each(['text', 'application/x; charset=utf-8', ''])('%j is no media type', (type) => {
    expect(usages(`  - { auid: a, mimeType: "${type}" }\n`)[0]).toMatch(/^gateway.yaml:10: .*mimeType/);
  });

  test('a schema counts from the folder of the configuration', () => {
    const { configuration } = loaded(
      `${smallest}applicationUsages: [{ auid: a, mimeType: Application/X, schema: xsd/a.xsd }]\n`,
    );
    expect(configuration?.applicationUsages).toEqual([
      { auid: 'a', mimeType: 'application/x', schema: join(folder, 'xsd/a.xsd') },
    ]);
    expect(configuration?.compatibility).toEqual({ bareAttributeValues: false });
  });
});

test('operators with the same name or token are errors at their keys', () => {
  const manage =
    'manage: { listen: { port: 8090 }, token: secret-of-all, operators: [{ name: ann, token: secret-of-ann }, ';
  const check = (operator: string): readonly string[] =>
    problems(`${smallest}${manage}${operator}] }\n`).map((line) => line.replace(/^[^:]+:\d+: /, ''));
  expect(check('{ name: ann, token: another-one }')).toEqual([
    'manage.operators[1].name: ann is the name of another operator',
  ]);
  expect(check('{ name: operator, token: another-one }')).toEqual([
    'manage.operators[1].name: operator is the name of another operator',
  ]);
  expect(check('{ name: ben, token: secret-of-all }')).toEqual([
    'manage.operators[1].token: is the token of another operator',
  ]);
});
