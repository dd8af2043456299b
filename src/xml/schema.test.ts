import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { groupWithMembers, serviceOf } from './group-samples.testkit.ts';
import { defaultXmlLimits } from './limits.ts';
import { SchemaLibrary } from './schema.ts';

const ns = (name: string): string => `urn:ietf:params:xml:ns:${name}`;

describe('schema library', () => {
  let library: SchemaLibrary;
  beforeAll(async () => {
    library = await SchemaLibrary.load();
  });
  afterAll(() => library.close());

  test.each<[string, string, boolean]>([
    [
      'resource-lists',
      `<resource-lists xmlns="${ns('resource-lists')}"><list name="a"><display-name/><entry uri="b"/><list/><entry-ref ref="c"/><external anchor="d"/></list></resource-lists>`,
      true,
    ],
    ['resource-lists', `<resource-lists xmlns="${ns('resource-lists')}"><list><entry/></list></resource-lists>`, false],
    [
      'resource-lists',
      `<resource-lists xmlns="${ns('resource-lists')}"><list><entry-ref/></list></resource-lists>`,
      false,
    ],
    ['resource-lists', `<resource-lists xmlns="${ns('resource-lists')}"><entry uri="a"/></resource-lists>`, false],
    [
      'resource-lists',
      `<resource-lists xmlns="${ns('resource-lists')}"><list><entry uri="b"/><display-name/></list></resource-lists>`,
      false,
    ],
    [
      'xcap-caps',
      `<xcap-caps xmlns="${ns('xcap-caps')}"><auids><auid>a</auid></auids><namespaces><namespace>b</namespace></namespaces></xcap-caps>`,
      true,
    ],
    [
      'xcap-caps',
      `<xcap-caps xmlns="${ns('xcap-caps')}"><auids/><extensions><extension>a</extension></extensions><namespaces/></xcap-caps>`,
      true,
    ],
    ['xcap-caps', `<xcap-caps xmlns="${ns('xcap-caps')}"><namespaces/><auids/></xcap-caps>`, false],
    ['xcap-caps', `<xcap-caps xmlns="${ns('xcap-caps')}"><auids/></xcap-caps>`, false],
    [
      'xcap-directory',
      '<xcap-directory xmlns="urn:oma:xml:xdm:xcap-directory"><folder auid="a"><entry uri="b" etag="c" last-modified="2026-01-01T00:00:00Z" size="1"/></folder><folder auid="d"><error-code>x</error-code></folder></xcap-directory>',
      true,
    ],
    [
      'xcap-directory',
      '<xcap-directory xmlns="urn:oma:xml:xdm:xcap-directory"><folder auid="a"><entry uri="b"/></folder></xcap-directory>',
      false,
    ],
    ['xcap-directory', '<xcap-directory xmlns="urn:oma:xml:xdm:xcap-directory"><folder/></xcap-directory>', false],
    [
      'xcap-error',
      `<xcap-error xmlns="${ns('xcap-error')}"><no-parent phrase="a"><ancestor>b</ancestor></no-parent></xcap-error>`,
      true,
    ],
    [
      'xcap-error',
      `<xcap-error xmlns="${ns('xcap-error')}"><uniqueness-failure><exists field="a"><alt-value>b</alt-value></exists></uniqueness-failure></xcap-error>`,
      true,
    ],
    ['xcap-error', `<xcap-error xmlns="${ns('xcap-error')}"><uniqueness-failure/></xcap-error>`, false],
    ['xcap-error', `<xcap-error xmlns="${ns('xcap-error')}"/>`, false],
    ['xcap-error', `<xcap-error xmlns="${ns('xcap-error')}"><cannot-insert/><cannot-delete/></xcap-error>`, false],
    ['xcap-error', `<xcap-error xmlns="${ns('xcap-error')}"><unknown/></xcap-error>`, false],
    [
      'xcap-diff',
      `<xcap-diff xmlns="${ns('xcap-diff')}" xcap-root="http://a/"><document sel="a" new-etag="b"/><element sel="c" exists="0"/><attribute sel="d">e</attribute></xcap-diff>`,
      true,
    ],
    [
      'xcap-diff',
      `<d:xcap-diff xmlns:d="${ns('xcap-diff')}" xcap-root="http://a/"><d:document sel="a"><d:add sel="*" pos="before"> <b/></d:add><d:replace sel="*/@a">c</d:replace><d:remove sel="*" ws="both"/></d:document></d:xcap-diff>`,
      true,
    ],
    [
      'xcap-diff',
      `<xcap-diff xmlns="${ns('xcap-diff')}" xcap-root="http://a/"><document sel="a"><body-not-changed/></document></xcap-diff>`,
      true,
    ],
    ['xcap-diff', `<xcap-diff xmlns="${ns('xcap-diff')}"/>`, false],
    ['xcap-diff', `<xcap-diff xmlns="${ns('xcap-diff')}" xcap-root="a"><document/></xcap-diff>`, false],
    [
      'xcap-diff',
      `<xcap-diff xmlns="${ns('xcap-diff')}" xcap-root="a"><document sel="b"><body-not-changed/><add sel="c"/></document></xcap-diff>`,
      false,
    ],
    [
      'xcap-diff',
      `<xcap-diff xmlns="${ns('xcap-diff')}" xcap-root="a"><element sel="b"><c/><d/></element></xcap-diff>`,
      false,
    ],
    [
      'xcap-diff',
      `<xcap-diff xmlns="${ns('xcap-diff')}" xcap-root="a"><document sel="b"><add sel="c" pos="behind"/></document></xcap-diff>`,
      false,
    ],
    [
      'mcptt-info',
      '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Normal"><mcpttString>t</mcpttString></mcptt-access-token></mcptt-Params></mcpttinfo>',
      true,
    ],
    [
      'mcptt-info',
      '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Odd"/></mcptt-Params></mcpttinfo>',
      false,
    ],
    [
      'mcptt-info',
      '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><broadcast-ind>maybe</broadcast-ind></mcptt-Params></mcpttinfo>',
      false,
    ],
    [
      'gmop',
      '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><get-excluding-memberlist/></request></document>',
      true,
    ],
    ['gmop', '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><unknown/></request></document>', true],
    ['gmop', '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request/><response/></document>', false],
    [
      'gmop',
      '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><get-excluding-memberlist>x</get-excluding-memberlist></request></document>',
      false,
    ],
  ])('%s: %s', async (name, document, valid) => {
    expect((await library.validate(name, Buffer.from(document))).length === 0).toBe(valid);
  });

  test('the document element must be the one of the schema, not any that it declares', async () => {
    const owner = '<owner xmlns="urn:3gpp:ns:mcpttGroupInfo:1.0">Red</owner>';
    expect(await library.validate('groups', Buffer.from(owner))).toMatchObject([{ line: 1, path: '/*' }]);
    expect(await library.validate('groups', Buffer.from('<group/>'))).toHaveLength(1);
  });

  test('problems carry line, path and text, at most 20 of them', async () => {
    const bytes = serviceOf('\n<m:user-priority>x</m:user-priority>'.repeat(50));
    const problems = await library.validate('groups', bytes);
    expect(problems).toHaveLength(20);
    expect(problems[0]).toMatchObject({ line: 4, path: expect.stringContaining('m:user-priority[1]') });
  });

  test('large documents are judged in a worker with the same verdict, and read in one go', async () => {
    const { index, problems } = await library.read('groups', groupWithMembers(2000), defaultXmlLimits);
    expect([index.count, problems]).toEqual([8003, []]);
    const wrong = groupWithMembers(2000, '<m:user-priority/>');
    expect(await library.validate('groups', wrong)).toHaveLength(20);
    const torn = groupWithMembers(2000).slice(0, -5);
    await expect(library.read('groups', torn, defaultXmlLimits)).rejects.toMatchObject({ code: 'not-well-formed' });
    const latin = Buffer.concat([Buffer.from('<?xml version="1.0" encoding="latin1"?>'), groupWithMembers(2000)]);
    await expect(library.read('groups', latin, defaultXmlLimits)).rejects.toMatchObject({ code: 'not-utf-8' });
    await expect(library.read('groups', Buffer.from('<a>'), defaultXmlLimits)).rejects.toMatchObject({
      code: 'not-well-formed',
    });
    await expect(library.read(undefined, Buffer.from('<a/>'), defaultXmlLimits)).resolves.toMatchObject({
      problems: [],
    });
  });

  test('many tiny errors in a small document leave the event loop free', async () => {
    const bytes = serviceOf('<m:protect-media/>'.repeat(3000));
    expect(bytes.byteLength).toBeLessThan(64 * 1024);
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    expect(await library.validate('groups', bytes)).toHaveLength(20);
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(0);
  });

  test('a job over its budget is ended and the next one gets a fresh worker', async () => {
    const hasty = await SchemaLibrary.load({ budget: 1, threads: 1 });
    const heavy = groupWithMembers(15_000, '<m:user-priority/>');
    const jobs = await Promise.allSettled([hasty.validate('groups', heavy), hasty.validate('groups', heavy)]);
    expect(jobs.map((job) => (job.status === 'rejected' ? job.reason.code : job.status))).toEqual([
      'constraint-failure',
      'constraint-failure',
    ]);
    await hasty.close();
  });

  test('closing rejects what is under way', async () => {
    const closing = await SchemaLibrary.load();
    const job = closing.validate('groups', groupWithMembers(5000));
    const outcome = expect(job).rejects.toThrow('closed');
    await closing.close();
    await outcome;
  });
});

describe('schemas of an operator', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'schemas-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('an XSD file with an include and an import of the published xml.xsd', async () => {
    await writeFile(
      join(folder, 'part.xsd'),
      '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:own"><xs:simpleType name="n"><xs:restriction base="xs:int"/></xs:simpleType></xs:schema>',
    );
    await writeFile(
      join(folder, 'own.xsd'),
      '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:own" targetNamespace="urn:own"><xs:include schemaLocation="part.xsd"/>' +
        '<xs:import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="http://www.w3.org/2001/xml.xsd"/>' +
        '<xs:element name="a"><xs:complexType><xs:simpleContent><xs:extension base="n"><xs:attribute ref="xml:lang"/></xs:extension></xs:simpleContent></xs:complexType></xs:element></xs:schema>',
    );
    const library = await SchemaLibrary.load({ operatorSchemas: new Map([['own', join(folder, 'own.xsd')]]) });
    expect([library.has('own'), library.has('other')]).toEqual([true, false]);
    expect(await library.validate('own', Buffer.from('<a xmlns="urn:own" xml:lang="en">1</a>'))).toEqual([]);
    expect(await library.validate('own', Buffer.from('<a xmlns="urn:own">x</a>'))).toHaveLength(1);
    await library.close();
  });

  test('a file that is no schema, or is missing, stops the start and says why', async () => {
    const path = join(folder, 'bad.xsd');
    await writeFile(
      path,
      '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a" type="missing"/></xs:schema>',
    );
    await expect(SchemaLibrary.load({ operatorSchemas: new Map([['bad', path]]) })).rejects.toThrow(
      /bad\.xsd:1: .*missing/,
    );
    await expect(
      SchemaLibrary.load({ operatorSchemas: new Map([['none', join(folder, 'none.xsd')]]) }),
    ).rejects.toThrow('none.xsd');
  });
});
