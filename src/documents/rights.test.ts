import { describe, expect, test } from '@jest/globals';
import type { AdministratorPrincipal, PartnerPrincipal, Principal } from '../identity/principal.ts';
import { servedUsers } from '../identity/served.ts';
import type { DocumentKey } from '../store/store.ts';
import { type GroupFacts, readGroup } from '../xml/group-document.ts';
import { OffsetIndex } from '../xml/offset-index.ts';
import { capabilitiesAuid, directoryAuid, groupsAuid, resourceListsAuid } from './application-usage.ts';
import { administrator, client, groupDocument, homeKey, server, serviceIdentity } from './documents.testkit.ts';
import { mayRead, maySearch, mayWrite, mayWriteGroups } from './rights.ts';

const served = servedUsers({
  domains: ['red.example'],
  servedUsers: ['sip:guest@blue.example'],
  awayUsers: ['sip:away@red.example'],
});
const partner: PartnerPrincipal = { role: 'partner', partner: 'blue', identity: 'sip:gms@blue.example' };
const limited: AdministratorPrincipal = { ...administrator, groups: ['sip:fire-*@red.example', 'tel:+1555'] };
const alice = client('sip:alice@red.example', 'sip:alice.video@red.example');
const everyone: readonly Principal[] = [administrator, limited, server, alice, partner];

const own = (auid: string, xui: string): DocumentKey => ({ auid, tree: 'users', xui, name: 'index' });
const global = (auid: string): DocumentKey => ({ auid, tree: 'global', xui: '', name: 'index' });

describe('who may write', () => {
  test('TS 24.481 6.3.2: administrators alone write group documents, and only in the users tree', () => {
    expect(everyone.filter((principal) => mayWrite(principal, homeKey('alpha')))).toEqual([administrator, limited]);
    expect(mayWrite(alice, own(groupsAuid, 'sip:alice@red.example'))).toBe(false);
    expect(everyone.filter((principal) => mayWrite(principal, global(groupsAuid)))).toEqual([]);
  });

  test('an administrator with patterns is limited to the groups they cover, all of them', () => {
    expect(mayWriteGroups(administrator, ['sip:any@red.example'])).toBe(true);
    expect(mayWriteGroups(limited, ['sip:fire-1@red.example', 'tel:+1555'])).toBe(true);
    expect(mayWriteGroups(limited, ['sip:fire-1@red.example', 'sip:police@red.example'])).toBe(false);
    expect(mayWriteGroups(limited, ['sip:fire-1@red.example.evil'])).toBe(false);
    expect(mayWriteGroups(server, ['sip:fire-1@red.example'])).toBe(false);
  });

  test('RFC 4825 5.7: other documents are written by the owner of the users tree alone', () => {
    const key = own(resourceListsAuid, 'sip:alice@red.example');
    expect(everyone.filter((principal) => mayWrite(principal, key))).toEqual([alice]);
    expect(mayWrite(alice, own(resourceListsAuid, 'sip:alice.video@red.example'))).toBe(true);
    expect(mayWrite(administrator, own(resourceListsAuid, administrator.identity))).toBe(true);
    expect(mayWrite({ ...partner, identity: 'sip:alice@red.example' }, key)).toBe(false);
  });

  test('RFC 4825 5.7: the global tree is written by who is trusted explicitly', () => {
    expect(everyone.filter((principal) => mayWrite(principal, global(resourceListsAuid)))).toEqual([administrator]);
  });
});

describe('who may learn that a document is not there', () => {
  test.each<[string, DocumentKey, readonly Principal[]]>([
    ['a list', own(resourceListsAuid, 'sip:alice@red.example'), [alice]],
    ['a shared list', global(resourceListsAuid), [administrator, limited, server, alice]],
    ['a group of others', homeKey('alpha'), [administrator, limited, server]],
    ['a group in the own tree', own(groupsAuid, 'sip:alice@red.example'), [administrator, limited, server, alice]],
    ['a directory', own(directoryAuid, 'sip:alice@red.example'), [administrator, limited, alice]],
    ['capabilities', global(capabilitiesAuid), everyone],
  ])('RFC 4825 8: %s', (_name, key, allowed) => {
    expect(everyone.filter((principal) => maySearch(principal, key))).toEqual(allowed);
  });
});

describe('who may read', () => {
  const group = (...members: readonly string[]): GroupFacts =>
    readGroup(OffsetIndex.of(groupDocument({ members, services: ['mcvideo', 'mcdata'] })));
  const key = homeKey('alpha');
  const reads = (principal: Principal, facts: GroupFacts): boolean => mayRead(principal, { key, group: facts }, served);

  test('administrators and own servers read every group, partners none on our own faces', () => {
    expect(everyone.filter((principal) => reads(principal, group()))).toEqual([administrator, limited, server]);
  });

  test('groups of other systems: an administrator with patterns reads those that they cover, and as a member any other', () => {
    const foreign = (uri: string, ...members: readonly string[]) => ({
      key: { auid: groupsAuid, tree: 'global', xui: '', name: `byGroupID/${uri}` } as const,
      group: readGroup(OffsetIndex.of(groupDocument({ uri, members }))),
    });
    const mine = { ...administrator, groups: ['sip:fire-*@blue.example'] };
    const reads = (principal: Principal, document: ReturnType<typeof foreign>) => mayRead(principal, document, served);
    expect(reads(mine, foreign('sip:fire-1@BLUE.example'))).toBe(reads(mine, foreign('sip:fire-1@blue.example')));
    expect(reads(mine, foreign('sip:fire-1@blue.example'))).toBe(true);
    expect(reads(mine, foreign('sip:police-1@blue.example'))).toBe(false);
    expect(reads(mine, foreign('sip:police-1@blue.example', mine.identity))).toBe(true);
    expect(reads(administrator, foreign('sip:police-1@blue.example'))).toBe(true);
    expect(reads(server, foreign('sip:police-1@blue.example'))).toBe(true);
    expect(mayRead(mine, { key: foreign('x').key }, served)).toBe(false);
  });

  test('a member reads its group by MCPTT, MCVideo or MCData ID', () => {
    const member = 'sip:bob@red.example';
    expect(reads(client(member), group(member))).toBe(true);
    expect(reads(client('sip:x@red.example', serviceIdentity('video', member)), group(member))).toBe(true);
    expect(reads(client(serviceIdentity('data', member)), group(member))).toBe(true);
    expect(reads(client('sip:x@red.example'), group(member))).toBe(false);
    expect(reads(client(), group(member))).toBe(false);
  });

  test('membership counts only for identities that are served here', () => {
    const strangers = ['sip:lena@blue.example', 'sip:away@red.example'];
    for (const stranger of strangers) expect(reads(client(stranger), group(...strangers))).toBe(false);
    expect(reads(client('sip:guest@blue.example'), group('sip:guest@blue.example'))).toBe(true);
  });

  test('a document with several groups is not for clients', () => {
    const both = readGroup(
      OffsetIndex.of(
        groupDocument(
          { uri: 'sip:a@red.example', members: ['sip:bob@red.example'] },
          { uri: 'sip:b@red.example', members: ['sip:bob@red.example'] },
        ),
      ),
    );
    expect(reads(client('sip:bob@red.example'), both)).toBe(false);
    expect(reads(server, both)).toBe(true);
  });

  test('a group document whose facts are not known is closed to clients', () => {
    expect(mayRead(alice, { key }, served)).toBe(false);
  });

  test('RFC 4825 5.7: other documents are read by their owner, global ones by every user of this system', () => {
    const lists = own(resourceListsAuid, 'sip:alice@red.example');
    expect(everyone.filter((principal) => mayRead(principal, { key: lists }, served))).toEqual([alice]);
    const shared = global(resourceListsAuid);
    expect(everyone.filter((principal) => mayRead(principal, { key: shared }, served))).toEqual([
      administrator,
      limited,
      server,
      alice,
    ]);
  });

  test('RFC 4825 12.6: everybody reads the capabilities', () => {
    expect(everyone.every((principal) => mayRead(principal, { key: global(capabilitiesAuid) }, served))).toBe(true);
  });

  test('a directory is read by its owner and by administrators', () => {
    const directory = own(directoryAuid, 'sip:alice@red.example');
    expect(everyone.filter((principal) => mayRead(principal, { key: directory }, served))).toEqual([
      administrator,
      limited,
      alice,
    ]);
  });
});
