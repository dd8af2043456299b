// `mcgw audit …`: the journal of a running gateway, and of a store that no gateway has open.
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { loadConfiguration } from '../../config/load.ts';
import { type JournalVerdict, parseAnchor, verifyJournal } from '../../store/journal-verify.ts';
import { openStore } from '../../store/open-store.ts';
import type { JournalRecord, Store } from '../../store/store.ts';
import { StoreError } from '../../store/store-error.ts';
import type { Erased } from '../erase-person.ts';
import { instantForms, readInstant } from '../instants.ts';
import type { GatewayAddress, ManagementClient } from './management-client.ts';
import { columns, counted, exitCodes, type Terminal, WrongUsage } from './terminal.ts';

/** Which entries are wanted. */
export interface AuditFilter {
  /** As `readInstant` takes them. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly subject?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly after?: string | undefined;
}

/** Shows entries of the journal, the oldest first. */
export async function auditList(
  client: ManagementClient,
  options: AuditFilter & { readonly limit?: string | undefined; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const query = queryOf(options);
  if (options.limit !== undefined) query.set('limit', options.limit);
  const { entries } = (await client.json(`journal?${query}`)) as { readonly entries: readonly JournalRecord[] };
  if (options.json) {
    terminal.out(JSON.stringify(entries, null, 2));
    return exitCodes.done;
  }
  const rows = entries.map(({ sequence, at, actor, action, subject, detail }) => [
    String(sequence),
    at,
    actor,
    action,
    subject,
    detail === undefined
      ? undefined
      : Object.entries(detail)
          .map(([name, value]) => `${name}=${value}`)
          .join(' '),
  ]);
  terminal.out(columns(['SEQUENCE', 'AT', 'ACTOR', 'ACTION', 'SUBJECT', 'DETAIL'], rows));
  return exitCodes.done;
}

/** Writes entries as JSON lines; ends when all are taken. */
export async function auditExport(client: ManagementClient, filter: AuditFilter, out: Writable): Promise<number> {
  await pipeline(await client.stream(`journal/export?${queryOf(filter)}`), out, { end: false });
  return exitCodes.done;
}

/** Verifies the chain of a running gateway's journal; 1 when it is broken. */
export async function auditVerify(
  client: ManagementClient,
  options: { readonly anchor?: string | undefined; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const query = new URLSearchParams(options.anchor === undefined ? {} : { anchor: options.anchor });
  const verdict = (await client.json(`journal/verification?${query}`)) as Shown;
  return show(verdict, options.json, terminal);
}

/** Verifies the journal in the store that a configuration names, while no gateway has it open; 1 when it is broken. */
export async function auditVerifyStore(
  { config, anchor: text, json }: GatewayAddress & { readonly anchor?: string | undefined; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const { configuration } = loadConfiguration(config ?? '', Date.now());
  const anchor = text === undefined ? undefined : parseAnchor(text);
  if (configuration === undefined || (text !== undefined && anchor === undefined)) {
    terminal.err('name a configuration by --config, and an anchor as SEQUENCE:HASH');
    return exitCodes.wrongUsage;
  }
  let store: Store | undefined;
  try {
    store = await openStore(configuration.storage);
    const { anchor: found, ...verdict } = await verifyJournal(store, anchor);
    return show({ ...verdict, anchor: `${found.sequence}:${found.hash}` }, json, terminal);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    terminal.err(error.message);
    return exitCodes.failed;
  } finally {
    await store?.close();
  }
}

/** Takes a person out of the journal, and out of the authors of local edits and policy versions. */
export async function auditErase(client: ManagementClient, person: string, terminal: Terminal): Promise<number> {
  const body = JSON.stringify({ person });
  const answer = await client.send({
    method: 'POST',
    path: 'journal/erasure',
    body,
    contentType: 'application/json',
  });
  const { entries, localEdits, policyVersions } = JSON.parse(answer.body) as Erased;
  const places = [
    counted(entries, 'entry', 'entries'),
    ...(localEdits === 0 ? [] : [counted(localEdits, 'local edit')]),
    ...(policyVersions === 0 ? [] : [counted(policyVersions, 'policy version')]),
  ];
  terminal.out(`${person} erased from ${places.join(', ')}`);
  return exitCodes.done;
}

type Shown = Omit<JournalVerdict, 'anchor'> & { readonly anchor: string };

function show(verdict: Shown, json: boolean, terminal: Terminal): number {
  const { intact, entries, erased, first, last, anchor, anchorRemoved, broken } = verdict;
  if (!json && anchorRemoved === true) {
    terminal.err(
      'the entry of the anchor is older than what is kept: nothing is proved about entries before the first one',
    );
  }
  if (json) terminal.out(JSON.stringify(verdict, null, 2));
  else if (broken === undefined) {
    const range = first === undefined ? '' : ` (${first} to ${last}, ${erased} with erased texts)`;
    terminal.out(`intact: ${counted(entries, 'entry', 'entries')}${range}\nanchor ${anchor}`);
  } else
    terminal.err(
      `broken at entry ${broken.sequence}: ${broken.why}; ${counted(entries, 'entry before it is', 'entries before it are')} intact`,
    );
  return intact ? exitCodes.done : exitCodes.failed;
}

function queryOf({ since, until, subject, actor, action, after }: AuditFilter): URLSearchParams {
  const given = { since: instantOf('since', since), until: instantOf('until', until), subject, actor, action, after };
  return new URLSearchParams(
    Object.entries(given).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]])),
  );
}

function instantOf(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const instant = readInstant(text, Date.now());
  if (instant === undefined) throw new WrongUsage(`--${option} must be ${instantForms}, not ${JSON.stringify(text)}`);
  return instant;
}
