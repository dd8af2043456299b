// RFC 4825 clause 12: XCAP server capabilities.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { vectorsOf } from './vectors.ts';
import { elementType, keeper, labUsages, startXcapServer, xcapServer } from './xcap-server.ts';

const server = xcapServer();
const index = 'xcap-caps/global/index';

vectorsOf('12', server);

test('12.1: the AUIDs served, those of the configuration among them', async () => {
  const { status, headers, body } = await server.send('GET', index);
  expect([status, headers['content-type']]).toEqual([200, 'application/xcap-caps+xml']);
  for (const auid of ['xcap-caps', 'org.openmobilealliance.groups', ...labUsages.map((usage) => usage.auid)]) {
    expect(body).toContain(`<auid>${auid}</auid>`);
  }
});

test('its elements can be read and nobody can write them', async () => {
  const auids = await server.send('GET', `${index}/~~/xcap-caps/auids/auid%5B1%5D`);
  expect(auids).toMatchObject({ status: 200, body: '<auid>org.openmobilealliance.groups</auid>' });
  const put = await server.send('PUT', `${index}/~~/xcap-caps/auids/auid%5B1%5D`, {
    type: elementType,
    body: '<auid>x</auid>',
  });
  expect(put).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } });
});

test('a namespace is listed when the server has its schema, and the schema holds for documents and elements', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mcgw-schema-'));
  const schema = join(folder, 'rota.xsd');
  await writeFile(
    schema,
    `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:rota" elementFormDefault="qualified">
      <xs:element name="rota"><xs:complexType><xs:sequence>
        <xs:element name="shift" type="xs:date" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element></xs:schema>`,
  );
  const rota = {
    auid: 'com.example.rota',
    mimeType: 'application/rota+xml',
    defaultDocumentNamespace: 'urn:rota',
    schema,
  };
  const own = await startXcapServer({ applicationUsages: [rota] });
  try {
    expect((await own.send('GET', index)).body).toContain('<namespace>urn:rota</namespace>');
    const path = `com.example.rota/users/${keeper}/index`;
    const put = (body: string) => own.send('PUT', path, { type: 'application/rota+xml', body });
    expect(await put('<rota xmlns="urn:rota"><shift>monday</shift></rota>')).toMatchObject({ status: 409 });
    expect(await put('<rota xmlns="urn:rota"><shift>2026-01-31</shift></rota>')).toMatchObject({ status: 201 });
    const shift = (body: string) => own.send('PUT', `${path}/~~/rota/shift`, { type: elementType, body });
    const refused = await shift('<shift>someday</shift>');
    expect(refused).toMatchObject({ status: 409 });
    expect(refused.body).toContain('<schema-validation-error');
    expect(await shift('<shift>2026-02-01</shift>')).toMatchObject({ status: 200 });
    expect(await own.send('DELETE', `${path}/~~/rota/shift`)).toMatchObject({ status: 409 });
  } finally {
    await own.close();
    await rm(folder, { recursive: true });
  }
});
