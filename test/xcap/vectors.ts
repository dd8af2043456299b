// The machine-readable cases of test/vectors/xcap-4825.json against a running gateway, each document before and after looked at over
// HTTP. Where a case lists alternatives, only what docs/DECISIONS.md says is accepted.
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { WireAnswer } from '../../src/xcap/wire.testkit.ts';
import { withDocument } from '../../src/xml/libxml.ts';
import { SchemaLibrary } from '../../src/xml/schema.ts';
import { keeper, labUsages, other, textOf, type XcapServer } from './xcap-server.ts';

interface ExpectedExists {
  readonly field?: string;
  readonly startsWith?: string;
}

export interface VectorCase {
  readonly id: string;
  readonly section: string;
  readonly description: string;
  readonly level: string;
  readonly profile: string;
  readonly document: string | null;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string | null;
    readonly bodyBase64?: string;
  };
  readonly expected: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly bodyEquals?: string;
    readonly bodyXmlEquals?: string;
    readonly bodyEmpty?: boolean;
    readonly xcapError?: { readonly element: string; readonly exists?: readonly ExpectedExists[] };
    readonly compare?: 'c14n' | 'bytes';
    readonly documentAfter?: string | null;
    readonly documentUnchanged?: boolean;
    readonly documentExists?: boolean;
    readonly etagChanged?: boolean;
  };
}

interface Profile {
  readonly auid: string;
  readonly mime: string;
}

const vectors: {
  readonly meta: { readonly profiles: Readonly<Record<string, Profile>> };
  readonly cases: readonly VectorCase[];
} = JSON.parse(readFileSync(new URL('../vectors/xcap-4825.json', import.meta.url), 'utf8'));

export const cases: readonly VectorCase[] = vectors.cases;

/** The chapters of RFC 4825 that have cases; each case belongs to the longest one that its section starts with. */
export const chapters = ['5', '6', '7', '8', '8.2', '8.3', '8.4', '10', '11', '12', '13'] as const;
export type Chapter = (typeof chapters)[number];

const serverGenerated = '(server generated)';

/** The chapter that a case is about; HEAD, on which the RFC is silent, is server behaviour. */
export function chapterOf({ section }: VectorCase): Chapter {
  const first = section === 'HTTP' ? '8' : (section.split(' / ')[0] ?? '');
  const fitting = chapters.filter((chapter) => first === chapter || first.startsWith(`${chapter}.`));
  const chapter = fitting.at(-1);
  if (chapter === undefined) throw new Error(`section ${section} lies in no chapter`);
  return chapter;
}

/** Declares the cases of a chapter as tests, section by section. */
export function vectorsOf(chapter: Chapter, server: XcapServer): void {
  let schemas: Promise<SchemaLibrary> | undefined;
  const checkError = async (body: string): Promise<void> => {
    schemas ??= SchemaLibrary.load({ threads: 1 });
    expect(await (await schemas).validate('xcap-error', Buffer.from(body, 'latin1'))).toEqual([]);
  };
  const own = cases.filter((one) => chapterOf(one) === chapter);
  for (const section of [...new Set(own.map((one) => one.section))]) {
    describe(`RFC 4825 ${section}, vectors`, () => {
      const ofSection = own.filter((one) => one.section === section);
      test.each(ofSection.map((one) => [one.id, one.description, one] as const))('%s: %s', async (_id, _text, vector) =>
        run(vector, server, checkError),
      );
    });
  }
  afterAll(async () => (await schemas)?.close());
}

function auidOf(profile: string): string {
  const auid = vectors.meta.profiles[profile]?.auid ?? '';
  return auid === 'any lab AUID' ? `org.example.${profile}` : auid;
}

async function run(vector: VectorCase, server: XcapServer, checkError: (body: string) => Promise<void>): Promise<void> {
  const { profile, document, request, expected } = vector;
  const auid = auidOf(profile);
  const type = labUsages.find((usage) => usage.auid === auid)?.mimeType ?? vectors.meta.profiles[profile]?.mime ?? '';
  const path = `${auid}/users/${keeper}/index`;
  const filled = (text: string, etag = ''): string =>
    text
      .replaceAll('{AUID}', auid)
      .replaceAll('{XUI}', keeper)
      .replaceAll('{XCAP_ROOT}', server.root)
      .replaceAll('{ETAG}', etag)
      .replaceAll('{STALE_ETAG}', '"not-the-current-one"')
      .replaceAll('{UNKNOWN_AUID}', 'org.example.unknown')
      .replaceAll('{UNKNOWN_XUI}', 'sip:nobody@elsewhere.example')
      .replaceAll('{TAKEN_SERVICE_URI}', 'sip:taken@mcx.alpha.example');

  const taken = JSON.stringify(request).includes('{TAKEN_SERVICE_URI}');
  const elsewhere = `${auid}/users/${other}/index`;
  if (taken) {
    const body = filled(request.body ?? '').replaceAll(keeper, other);
    expect(await server.send('PUT', elsewhere, { as: other, type, body })).toMatchObject({ status: 201 });
  }
  const before = document === null || document === serverGenerated ? undefined : filled(document);
  let etag: string | undefined;
  if (before !== undefined) {
    const put = await server.send('PUT', path, { type, body: before });
    expect(put).toMatchObject({ status: 201, body: '' });
    etag = put.headers.etag;
  }
  try {
    const headers = Object.entries(request.headers).map(([name, value]) => [name, filled(value, etag)] as const);
    const body =
      request.bodyBase64 !== undefined
        ? Buffer.from(request.bodyBase64, 'base64')
        : request.body == null
          ? undefined
          : filled(request.body);
    const answer = await server.send(request.method, filled(request.path), {
      headers: Object.fromEntries(headers),
      body,
    });
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status: expected.status });
    checkHeaders(answer, expected.headers ?? {});
    const text = Buffer.from(answer.body, 'latin1').toString();
    if (expected.bodyEquals !== undefined) expect(text).toBe(filled(expected.bodyEquals));
    if (expected.bodyXmlEquals !== undefined) expect(canonical(text)).toBe(canonical(filled(expected.bodyXmlEquals)));
    if (expected.bodyEmpty === true) expect(answer.body).toBe('');
    if (expected.xcapError !== undefined) {
      checkConflict(text, expected.xcapError);
      await checkError(answer.body);
    }

    const after = await textOf(server, path);
    const tag = (await server.send('HEAD', path)).headers.etag;
    if (typeof expected.documentAfter === 'string') {
      expect(canonical(after ?? '')).toBe(canonical(filled(expected.documentAfter)));
      if (expected.compare === 'bytes') expect(after).toBe(filled(expected.documentAfter));
    }
    if (expected.documentAfter === null || expected.documentExists === false) expect(after).toBeUndefined();
    if (expected.documentUnchanged === true) expect([after, tag]).toEqual([before, etag]);
    if (expected.etagChanged !== undefined) expect(tag !== etag).toBe(expected.etagChanged);
    if (answer.headers.etag !== undefined && after !== undefined) expect(answer.headers.etag).toBe(tag);
  } finally {
    await server.send('DELETE', path);
    if (taken) await server.send('DELETE', elsewhere, { as: other });
  }
}

function checkHeaders(answer: WireAnswer, expected: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(expected)) {
    const field = answer.headers[name.toLowerCase()];
    if (value === 'present') expect(field).toMatch(/^"[^"]+"$/);
    else if (value.startsWith('includes ')) {
      expect(field?.split(', ')).toEqual(expect.arrayContaining(value.slice(9).split(', ')));
    } else expect(field).toBe(value);
  }
}

function checkConflict(body: string, { element, exists }: NonNullable<VectorCase['expected']['xcapError']>): void {
  expect(body).toMatch(new RegExp(`<xcap-error[^>]*>\\s*<${element}[ />]`));
  const fields = [...body.matchAll(/<exists field="([^"]*)"/g)].map(([, field]) => field);
  if (exists !== undefined) expect(fields).toHaveLength(exists.length);
  for (const [index, one] of (exists ?? []).entries()) {
    if (one.field !== undefined) expect(fields[index]).toBe(one.field);
    if (one.startsWith !== undefined) expect(fields[index]?.startsWith(one.startsWith)).toBe(true);
  }
}

/** Canonical XML with comments, by libxml2. */
export function canonical(document: string): string {
  return withDocument(Buffer.from(document), (parsed) => parsed.canonicalizeToString({ withComments: true }));
}
