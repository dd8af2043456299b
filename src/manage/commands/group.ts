// `mcgw group …`: the groups of a running gateway.
import { readFile } from 'node:fs/promises';
import type { HeldGroup, ListedGroup, ProfileEntry, RefusedGroup } from '../listings.ts';
import type { ManagementClient } from './management-client.ts';
import { columns, exitCodes, type Terminal, unreadable } from './terminal.ts';

export interface ListOptions {
  readonly json: boolean;
}

/** Shows all groups, page by page. */
export async function groupList(
  client: ManagementClient,
  {
    json,
    partner,
    held,
    refused,
    profile,
  }: ListOptions & {
    readonly partner?: string | undefined;
    readonly held?: boolean | undefined;
    readonly refused?: boolean | undefined;
    readonly profile?: boolean | undefined;
  },
  terminal: Terminal,
): Promise<number> {
  if (refused === true) return refusedList(client, { json, partner }, terminal);
  if (held === true) return heldList(client, { json, partner }, terminal);
  if (profile === true) return profileList(client, { json, partner }, terminal);
  const groups: ListedGroup[] = [];
  let after: string | undefined;
  do {
    const query = new URLSearchParams({
      ...(after === undefined ? {} : { after }),
      ...(partner === undefined ? {} : { partner }),
    });
    const page = (await client.json(`groups?${query}`)) as { groups: ListedGroup[]; next?: string };
    groups.push(...page.groups);
    after = page.next;
  } while (after !== undefined);
  if (json) terminal.out(JSON.stringify(groups, null, 2));
  else {
    terminal.out(
      columns(
        ['GROUP', 'HOME', 'TAG', 'POLICY', 'STALE SINCE'],
        groups.map((group) => [
          group.groupId,
          group.partner ?? 'here',
          group.tag,
          group.policy === undefined ? undefined : `${group.policy} v${group.policyVersion}`,
          group.staleSince,
        ]),
      ),
    );
  }
  return exitCodes.done;
}

// TS 23.280 clause 10.2.7: the list of groups in the user profile names the own GMS as the source of a foreign group
async function profileList(
  client: ManagementClient,
  { json, partner }: ListOptions & { readonly partner?: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const query = new URLSearchParams({ profile: 'true', ...(partner === undefined ? {} : { partner }) });
  const { profile } = (await client.json(`groups?${query}`)) as { profile: ProfileEntry[] };
  const rows = profile.map(({ groupId, gms, xcapRoot }) => [groupId, gms, xcapRoot]);
  terminal.out(json ? JSON.stringify(profile, null, 2) : columns(['GROUP', 'GMS', 'XCAP ROOT'], rows));
  return exitCodes.done;
}

async function heldList(
  client: ManagementClient,
  { json, partner }: ListOptions & { readonly partner?: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const query = new URLSearchParams({ held: 'true', ...(partner === undefined ? {} : { partner }) });
  const { held } = (await client.json(`groups?${query}`)) as { held: HeldGroup[] };
  const rows = held.map((group) => [group.groupId, group.partner, group.heldSince, group.servedTag]);
  terminal.out(json ? JSON.stringify(held, null, 2) : columns(['GROUP', 'HOME', 'HELD SINCE', 'SERVED TAG'], rows));
  return exitCodes.done;
}

async function refusedList(
  client: ManagementClient,
  { json, partner }: ListOptions & { readonly partner?: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const query = new URLSearchParams({ refused: 'true', ...(partner === undefined ? {} : { partner }) });
  const { refused } = (await client.json(`groups?${query}`)) as { refused: RefusedGroup[] };
  const rows = refused.map((group) => [
    group.groupId,
    group.partner,
    `${group.policy} v${group.policyVersion}`,
    group.at,
    `${group.code}: ${group.cause}`,
  ]);
  terminal.out(json ? JSON.stringify(refused, null, 2) : columns(['GROUP', 'HOME', 'POLICY', 'SINCE', 'CAUSE'], rows));
  return exitCodes.done;
}

/** Serves a foreign group that waited for an operator. */
export async function groupRelease(
  client: ManagementClient,
  groupId: string,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  const answer = await client.send({ method: 'POST', path: `groups/${encodeURIComponent(groupId)}/release` });
  terminal.out(json ? answer.body : `${groupId} released`);
  return exitCodes.done;
}

/** Writes the document of a group, or with `json` what is known about it. */
export async function groupGet(
  client: ManagementClient,
  groupId: string,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  const path = `groups/${encodeURIComponent(groupId)}`;
  if (json) terminal.out(JSON.stringify(await client.json(path), null, 2));
  else terminal.out((await client.send({ path, accept: groupMediaType })).body.trimEnd());
  return exitCodes.done;
}

/** Creates or replaces a home group with the document in `file`; 2 when it cannot be read. */
export async function groupPut(
  client: ManagementClient,
  groupId: string,
  file: string,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  let body: Uint8Array;
  try {
    body = await readFile(file);
  } catch (error) {
    terminal.err(unreadable(file, error));
    return exitCodes.wrongUsage;
  }
  const path = `groups/${encodeURIComponent(groupId)}`;
  const answer = await client.send({ method: 'PUT', path, body, contentType: groupMediaType });
  const outcome = JSON.parse(answer.body) as { created: boolean; changed: boolean; tag: string };
  const said = outcome.created ? 'created' : outcome.changed ? 'replaced' : 'unchanged';
  terminal.out(json ? JSON.stringify(outcome, null, 2) : `${groupId} ${said}, tag "${outcome.tag}"`);
  return exitCodes.done;
}

/** Deletes a home group. */
export async function groupDelete(client: ManagementClient, groupId: string, terminal: Terminal): Promise<number> {
  await client.send({ method: 'DELETE', path: `groups/${encodeURIComponent(groupId)}` });
  terminal.out(`${groupId} deleted`);
  return exitCodes.done;
}

const groupMediaType = 'application/vnd.oma.poc.groups+xml';
