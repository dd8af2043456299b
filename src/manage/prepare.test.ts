import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { problemLine } from '../config/load.ts';
import { prepare } from './prepare.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcgw-prepare-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const schema = (inside: string): string =>
  `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">${inside}</xs:schema>`;

async function problems(schemaName: string): Promise<{ readonly lines: readonly string[]; readonly usable: boolean }> {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(
    file,
    `system: { name: blue, domains: [blue.example], gms: "sip:gms@blue.example" }
xcap: { listen: { port: 8080 }, root: "http://127.0.0.1:8080/xcap-root" }
storage: { sqlite: blue.db }
applicationUsages: [{ auid: rota, mimeType: application/rota+xml, schema: ${schemaName} }]
`,
  );
  const { prepared, problems: found } = await prepare(file, Date.now());
  return { lines: found.map((one) => problemLine(one).slice(folder.length + 1)), usable: prepared !== undefined };
}

describe('schemas of application usages', () => {
  test('one that compiles is no problem', async () => {
    writeFileSync(join(folder, 'good.xsd'), schema('<xs:element name="rota"/>'));
    expect(await problems('good.xsd')).toEqual({ lines: [], usable: true });
  });

  test('one that is missing is named', async () => {
    const { lines, usable } = await problems('missing.xsd');
    expect([lines, usable]).toEqual([['missing.xsd:1: applicationUsages: the schema file does not exist'], false]);
  });

  test('one that is no schema is told with its line', async () => {
    writeFileSync(join(folder, 'broken.xsd'), schema('\n\n<xs:element name="rota" type="nothing"/>\n'));
    const { lines, usable } = await problems('broken.xsd');
    expect(usable).toBe(false);
    expect(lines).toEqual([
      expect.stringMatching(/^broken\.xsd:3: applicationUsages: this is no XML schema: .*nothing/),
    ]);
  });

  test('one that is no XML is told too', async () => {
    writeFileSync(join(folder, 'text.xsd'), 'no markup');
    expect((await problems('text.xsd')).lines).toEqual([expect.stringMatching(/^text\.xsd:1: applicationUsages: /)]);
  });
});
