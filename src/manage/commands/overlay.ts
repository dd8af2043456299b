// `mcgw overlay …`: local edits of foreign groups at a running gateway.
import type { ListedOverlay, ShownEdit } from '../listings.ts';
import type { ManagementClient } from './management-client.ts';
import { columns, exitCodes, type Terminal } from './terminal.ts';

interface Json {
  readonly json: boolean;
}

interface Shown {
  readonly groupId: string;
  readonly edits: readonly ShownEdit[];
}

/** Shows which groups have local edits. */
export async function overlayList(client: ManagementClient, { json }: Json, terminal: Terminal): Promise<number> {
  const overlays: ListedOverlay[] = [];
  let after: string | undefined;
  do {
    const query = new URLSearchParams(after === undefined ? {} : { after });
    const page = (await client.json(`overlays?${query}`)) as { overlays: ListedOverlay[]; next?: string };
    overlays.push(...page.overlays);
    after = page.next;
  } while (after !== undefined);
  const rows = overlays.map(({ groupId, edits, conflicting, servedTag }) => [
    groupId,
    String(edits),
    String(conflicting),
    servedTag,
  ]);
  terminal.out(
    json ? JSON.stringify(overlays, null, 2) : columns(['GROUP', 'EDITS', 'CONFLICTING', 'SERVED TAG'], rows),
  );
  return exitCodes.done;
}

/** Shows the local edits of a group. */
export async function overlayShow(
  client: ManagementClient,
  groupId: string,
  options: Json,
  terminal: Terminal,
): Promise<number> {
  return show((await client.json(pathOf(groupId))) as Shown, options, terminal);
}

/** Drops one edit or all of a group. */
export async function overlayDrop(
  client: ManagementClient,
  groupId: string,
  { edit, json }: Json & { readonly edit?: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const path = edit === undefined ? pathOf(groupId) : `${pathOf(groupId)}/edits/${encodeURIComponent(edit)}`;
  const { body } = await client.send({ method: 'DELETE', path });
  return show(JSON.parse(body) as Shown, { json }, terminal);
}

/** Drops the edits that conflict, or moves one edit to another selector. */
export async function overlayRebase(
  client: ManagementClient,
  groupId: string,
  { edit, select, json }: Json & { readonly edit?: string | undefined; readonly select?: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const order = { ...(edit === undefined ? {} : { edit: Number(edit) }), ...(select === undefined ? {} : { select }) };
  const { body } = await client.send({
    method: 'POST',
    path: `${pathOf(groupId)}/rebase`,
    body: JSON.stringify(order),
    contentType: 'application/json',
  });
  return show(JSON.parse(body) as Shown, { json }, terminal);
}

function show({ groupId, edits }: Shown, { json }: Json, terminal: Terminal): number {
  if (json) terminal.out(JSON.stringify({ groupId, edits }, null, 2));
  else if (edits.length === 0) terminal.out(`${groupId} has no local edits any more`);
  else {
    const rows = edits.map(({ number, at, actor, operations, conflict }) => [
      String(number),
      at,
      actor,
      operations
        .map(({ directive, sel, type }) => `${directive} ${sel}${type === undefined ? '' : ` ${type}`}`)
        .join('; '),
      conflict === undefined ? 'applies' : `conflicts since ${conflict.since}: ${conflict.why}`,
    ]);
    terminal.out(columns(['EDIT', 'AT', 'BY', 'OPERATION', 'STATE'], rows));
  }
  return exitCodes.done;
}

function pathOf(groupId: string): string {
  return `overlays/${encodeURIComponent(groupId)}`;
}
