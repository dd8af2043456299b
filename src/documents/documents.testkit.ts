// Group documents and a running document service for the tests of this room.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { McService } from '../config/schema.ts';
import type { AdministratorPrincipal, ClientPrincipal, ServerPrincipal } from '../identity/principal.ts';
import { servedUsers } from '../identity/served.ts';
import type { RefusalCode } from '../refusals.ts';
import { Refusal } from '../refusals.ts';
import { type ManualClock, manualClock } from '../store/clock.testkit.ts';
import { openSqliteStore, type SqliteStore } from '../store/sqlite/sqlite-store.ts';
import type { DocumentKey } from '../store/store.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { SchemaLibrary } from '../xml/schema.ts';
import type { ChangeEvent } from './documents.ts';
import { DocumentService, type DocumentServiceOptions } from './service.ts';

/** One list-service of a group document. */
export interface GroupSketch {
  readonly uri?: string;
  readonly name?: string;
  readonly services?: readonly McService[];
  /** MCPTT IDs; MCVideo and MCData IDs are made from them with a prefix. */
  readonly members?: readonly string[];
  /** A member without MCVideo and MCData ID. */
  readonly without?: string;
  /** The supported-services element in place of one made from `services`. */
  readonly supported?: string;
  /** Rules as markup. */
  readonly rules?: string;
}

const enablers: Readonly<Record<McService, string>> = {
  mcptt:
    '<oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt"><oxe:group-media><mcpttgi:mcptt-speech/></oxe:group-media></oxe:service>',
  mcvideo:
    '<oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcvideo"><oxe:group-media><mcpttgi:mcvideo-video-media/></oxe:group-media></oxe:service>',
  mcdata: '<oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcdata.sds"/>',
};

/** A rule that lets all members read the member list. */
export const membersSeeMembers = `<cp:rule id="all-members"><cp:conditions><is-list-member/></cp:conditions><cp:actions>
  <mcpttgi:on-network-allow-getting-member-list>true</mcpttgi:on-network-allow-getting-member-list></cp:actions></cp:rule>`;

/** The MCVideo or MCData ID that `groupDocument` gives a member. */
export function serviceIdentity(service: 'video' | 'data', member: string): string {
  return member.replace(':', `:${service}.`);
}

/** A group document of the given list-services; without any sketch it has none. */
export function groupDocument(...sketches: readonly GroupSketch[]): Uint8Array {
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service" xmlns:rl="urn:ietf:params:xml:ns:resource-lists" xmlns:cp="urn:ietf:params:xml:ns:common-policy"
       xmlns:oxe="urn:oma:xml:xdm:extensions" xmlns:mcpttgi="urn:3gpp:ns:mcpttGroupInfo:1.0">
${sketches.map(listService).join('\n')}
</group>`);
}

function listService(sketch: GroupSketch): string {
  const { uri = 'sip:alpha@red.example', name = 'Alpha', services = ['mcptt'], members = [], rules } = sketch;
  const supported = `<oxe:supported-services>${services.map((service) => enablers[service]).join('')}</oxe:supported-services>`;
  return `  <list-service uri="${uri}">
    <display-name>${name}</display-name>
    <list>${members.map((member) => entry(member, member === sketch.without)).join('')}
    </list>
    ${rules === undefined ? '' : `<cp:ruleset>${rules}</cp:ruleset>`}
    ${sketch.supported ?? supported}
  </list-service>`;
}

function entry(member: string, bare: boolean): string {
  const identities = `<mcpttgi:mcvideo-mcvideo-id uri="${serviceIdentity('video', member)}"/><mcpttgi:mcdata-mcdata-id uri="${serviceIdentity('data', member)}"/>`;
  return `\n      <entry uri="${member}"><rl:display-name>member</rl:display-name>${bare ? '' : identities}</entry>`;
}

/** Key of a group document where administrators create groups. */
export function homeKey(name: string, xui = 'sip:groups@red.example'): DocumentKey {
  return { auid: 'org.openmobilealliance.groups', tree: 'users', xui, name };
}

/** The group ID that `groupDocument` gives when none is named. */
export const alpha = 'sip:alpha@red.example';

/** The address of a group by its ID. */
export function byGroup(groupId: string): DocumentKey {
  return { auid: 'org.openmobilealliance.groups', tree: 'global', xui: '', name: `byGroupID/${groupId}` };
}

/** A small resource-lists document, its key and its owner. */
export const lists: Uint8Array = Buffer.from(
  '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="a"/></resource-lists>',
);
export const listsKey: DocumentKey = {
  auid: 'resource-lists',
  tree: 'users',
  xui: 'sip:alice@red.example',
  name: 'index',
};

export const administrator: AdministratorPrincipal = { role: 'administrator', identity: 'sip:admin@red.example' };
export const server: ServerPrincipal = { role: 'server', identity: 'sip:mcptt@red.example' };

/** A client with these identities. */
export function client(...identities: readonly string[]): ClientPrincipal {
  return { role: 'client', identities };
}

export const alice: ClientPrincipal = client('sip:alice@red.example');

/** The code of the refusal that `work` ends in; rethrows everything else, and fails when it succeeds. */
export async function refusalOf(work: Promise<unknown> | (() => unknown)): Promise<Refusal> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** The code alone. */
export async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<RefusalCode> {
  return (await refusalOf(work)).code;
}

/** A document service of system red over a store of its own. */
export interface Room {
  readonly documents: DocumentService;
  readonly store: SqliteStore;
  readonly clock: ManualClock;
  /** All change events so far. */
  readonly events: ChangeEvent[];
  readonly close: () => Promise<void>;
}

/** Everything that a refused write must not have left; empty when it left nothing. */
export async function tracesIn(room: Room): Promise<readonly unknown[]> {
  const { store, events } = room;
  return [...(await store.documents({})), ...(await store.journal()), ...(await store.deliveries()), ...events];
}

let library: Promise<SchemaLibrary> | undefined;

/** The schemas, compiled once for a test file; close them with `closeSchemas` when all tests are done. */
export function schemas(): Promise<SchemaLibrary> {
  library ??= SchemaLibrary.load({ threads: 1 });
  return library;
}

/** Ends the workers behind `schemas`. */
export async function closeSchemas(): Promise<void> {
  await (await library)?.close();
  library = undefined;
}

const system = {
  domains: ['red.example', 'red2.example'],
  servedUsers: ['sip:guest@blue.example'],
  awayUsers: ['sip:away@red.example'],
};

/** Opens a fresh document service; `more` overrides its options. */
export async function openRoom(more: Partial<DocumentServiceOptions> = {}): Promise<Room> {
  const directory = await mkdtemp(join(tmpdir(), 'documents-'));
  const clock = manualClock();
  const store = await openSqliteStore(join(directory, 'store.db'), clock);
  const documents = new DocumentService({
    store,
    schemas: await schemas(),
    limits: defaultXmlLimits,
    cacheBytes: 16 * 1024 * 1024,
    served: servedUsers(system),
    system,
    now: clock.now,
    ...more,
  });
  const events: ChangeEvent[] = [];
  documents.onChange((event) => events.push(event));
  return {
    documents,
    store,
    clock,
    events,
    close: async () => {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}
