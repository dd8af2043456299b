import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { applyRules, groupDocument } from './policy.testkit.ts';

const noVideo = 'services: { drop: [mcvideo] }';
const example = readFileSync(new URL('../../test/examples/example-group-2.xml', import.meta.url), 'utf8');

describe('services takes an MC service out with everything that belongs to it', () => {
  test('partner policy drops MCVideo: no service, no mcvideo element is left, every other line stays', async () => {
    const { text } = await applyRules([noVideo], example);
    const withoutService = example.replace(/\n\s*<oxe:service enabler="[^"]*mcvideo">[\s\S]*?<\/oxe:service>/, '');
    expect(text).toBe(withoutService.replace(/\n.*mcvideo.*/g, ''));
    expect(text).not.toMatch(/mcvideo/i);
  });

  test('elements without a service in their name follow the table of TS 24.481 clause 7.2', async () => {
    const document = groupDocument(
      `    <list><entry uri="sip:a@blue.example"><m:user-reception-priority>3</m:user-reception-priority><m:on-network-required/></entry></list>
    <m:on-network-reception-hang-timer>PT1S</m:on-network-reception-hang-timer>
    <m:on-network-hang-timer>PT2S</m:on-network-hang-timer>
    <m:owner>x</m:owner>`,
      ['mcptt', 'mcvideo'],
    );
    const video = (await applyRules([noVideo], document)).text;
    expect(video).not.toContain('reception');
    expect(video).toContain('<entry uri="sip:a@blue.example"><m:on-network-required/></entry>');
    expect(video).toContain('<m:on-network-hang-timer>PT2S');
    const speech = (await applyRules(['services: { drop: [mcptt] }'], document)).text;
    expect(speech).toContain('<m:on-network-reception-hang-timer>');
    expect(speech).not.toContain('<m:on-network-hang-timer>');
    expect(speech).toContain('<m:owner>x</m:owner>');
  });

  test('all enablers of MCData go together', async () => {
    const { text } = await applyRules(
      ['services: { drop: [mcdata] }'],
      groupDocument('', ['mcptt', 'mcdata.sds', 'mcdata.fd']),
    );
    expect(text).toContain(
      '<oxe:supported-services><oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt"/></oxe:supported-services>',
    );
  });

  test('what a later release put into anyExt goes too', async () => {
    const document = groupDocument('    <m:anyExt><m:mcvideo-new>1</m:mcvideo-new><m:other-new/></m:anyExt>', [
      'mcptt',
      'mcvideo',
    ]);
    expect((await applyRules([noVideo], document)).text).toContain('<m:anyExt><m:other-new/></m:anyExt>');
  });

  test('elements of a service that the group does not have go as well', async () => {
    const document = groupDocument('    <m:mcvideo-protect-media>false</m:mcvideo-protect-media>');
    expect((await applyRules([noVideo], document)).text).not.toContain('mcvideo');
  });

  test('dropping the last service refuses', async () => {
    await expect(applyRules([noVideo], groupDocument('', ['mcvideo']))).rejects.toMatchObject({
      code: 'constraint-failure',
      message: 'The policy rule "rule 1": No service of the group would be left',
    });
  });

  test('all-services-except names nothing that could be taken out: refused', async () => {
    const document = groupDocument('').replace(/<oxe:service [^>]*>/, '<oxe:all-services-except/>');
    await expect(applyRules([noVideo], document)).rejects.toMatchObject({ code: 'constraint-failure' });
  });

  test('a regroup marker passes', async () => {
    const marker = '    <m:on-network-regrouped><m:mcvideo-x/></m:on-network-regrouped>';
    expect((await applyRules([noVideo], groupDocument(marker, ['mcptt', 'mcvideo']))).text).toContain(marker);
  });
});

describe('the services of the agreement act as an implicit rule', () => {
  test('what the agreement does not name goes, before the rules of the file', async () => {
    const { text, derivation } = await applyRules([], example, { services: ['mcptt'] });
    expect(text).not.toMatch(/mcvideo-|mcdata-|icsi\.mcdata/);
    expect(derivation.applied.map(({ rule }) => rule)).toEqual(['services of the agreement']);
  });

  test('a service that is no MC service is not named either', async () => {
    const document = groupDocument('', ['mcptt', 'private']);
    expect((await applyRules([], document, { services: ['mcptt'] })).text).not.toContain('private');
  });

  test('an agreement without services leaves the document as it is', async () => {
    expect((await applyRules([], example)).text).toBe(example);
  });
});
