import { describe, expect, test } from '@jest/globals';
import { configurationSchema, type PartnerConfiguration } from '../config/schema.ts';
import { groupDocument } from '../documents/documents.testkit.ts';
import { passThroughPolicy } from '../policy/policy-file.ts';
import { readGroup } from '../xml/group-document.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { readXml } from '../xml/xml-document.ts';
import { hasMemberOf, Partners } from './partners.ts';

function partner(
  name: string,
  domains: readonly string[],
  agreement: object = {},
  servedUsers: readonly string[] = [],
): PartnerConfiguration {
  const configuration = configurationSchema.parse({
    system: { name: 'blue', domains: ['blue.example'], gms: 'sip:gms@blue.example' },
    xcap: { listen: { port: 0 }, root: 'http://127.0.0.1/xcap-root' },
    storage: { sqlite: 'unused.db' },
    partners: [{ name, domains, gms: `sip:gms@${name}.example`, certificates: [{ san: 'x' }], agreement, servedUsers }],
  });
  const [found] = configuration.partners;
  if (found === undefined) throw new Error('no partner');
  return found;
}

const red = partner('red', ['red.example', 'red2.example'], { weRequest: [{ groups: 'tel:+33*' }] });
const green = partner('green', ['green.example'], { theyProvide: [{ groups: 'tel:+3399*' }, { groups: 'tel:+44*' }] });

describe('the home of a group', () => {
  const partners = new Partners({
    system: {
      name: 'blue',
      domains: ['blue.example'],
      gms: 'sip:gms@blue.example',
      servers: [],
      administrators: [],
      servedUsers: [],
      awayUsers: [],
    },
    partners: [red, green].map((configuration) => ({
      configuration,
      inbound: passThroughPolicy,
      outbound: passThroughPolicy,
    })),
  });
  const homeOf = (groupId: string): string | undefined => partners.homeOf(groupId)?.configuration.name;

  test('is the partner with exactly its domain', () => {
    expect(homeOf('sip:g@red.example')).toBe('red');
    expect(homeOf('sip:g@red2.example;x=1')).toBe('red');
    expect(homeOf('sip:g@sub.red.example')).toBeUndefined();
    expect(homeOf('sip:g@evilred.example')).toBeUndefined();
    expect(homeOf('sip:g@blue.example')).toBeUndefined();
  });

  test('of a tel: group is the one partner that an agreement names for it', () => {
    expect(homeOf('tel:+331')).toBe('red');
    expect(homeOf('tel:+441')).toBe('green');
    expect(homeOf('tel:+33991')).toBeUndefined();
    expect(homeOf('tel:+1')).toBeUndefined();
  });
});

describe('TS 23.280 10.2.7: one or more members are defined in the partner system', () => {
  const members = (bytes: Uint8Array): boolean => hasMemberOf(red, readGroup(readXml(bytes, defaultXmlLimits)));

  test('by MCPTT ID', () => {
    expect(members(groupDocument({ members: ['sip:a@blue.example', 'sip:b@RED2.example'] }))).toBe(true);
    expect(members(groupDocument({ members: ['sip:a@blue.example', 'sip:b@sub.red.example', 'tel:+331'] }))).toBe(
      false,
    );
  });

  test('or receive service there, wherever they are at home', () => {
    const serving = partner('red', ['red.example'], {}, ['sip:A@blue.example', 'tel:+33-1']);
    const group = (member: string) => readGroup(readXml(groupDocument({ members: [member] }), defaultXmlLimits));
    const found = ['sip:A@Blue.example', 'sip:a@blue.example', 'tel:+331'].map((one) =>
      hasMemberOf(serving, group(one)),
    );
    expect(found).toEqual([true, false, true]);
  });

  test('by MCVideo or MCData ID', () => {
    const text = Buffer.from(groupDocument({ members: ['sip:a@blue.example'] })).toString();
    const video = text.replace('mcvideo-id uri="sip:video.a@blue', 'mcvideo-id uri="sip:a@red');
    const data = text.replace('mcdata-id uri="sip:data.a@blue', 'mcdata-id uri="sip:a@red');
    expect([text, video, data].map((one) => members(Buffer.from(one)))).toEqual([false, true, true]);
  });
});
