// `mcgw group explain`: where the served copy of a foreign group comes from.
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Provenance } from '../listings.ts';
import type { ManagementClient } from './management-client.ts';
import { counted, exitCodes, type Terminal } from './terminal.ts';

/** Explains one group. */
export async function groupExplain(
  client: ManagementClient,
  groupId: string,
  { json }: { readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const found = (await client.json(`groups/${encodeURIComponent(groupId)}/provenance`)) as Provenance;
  terminal.out(json ? JSON.stringify(found, null, 2) : explained(found).join('\n'));
  return exitCodes.done;
}

/** Writes what is known of all foreign groups as JSON lines. */
export async function explainAll(
  client: ManagementClient,
  partner: string | undefined,
  out: Writable,
): Promise<number> {
  const query = new URLSearchParams(partner === undefined ? {} : { partner });
  await pipeline(await client.stream(`provenance?${query}`), out, { end: false });
  return exitCodes.done;
}

function explained({
  groupId,
  source,
  policy,
  rules,
  refused,
  overlay,
  served,
  ...rest
}: Provenance): readonly string[] {
  const state = [
    ...(source.staleSince === undefined ? [] : [`stale since ${source.staleSince}`]),
    ...(source.heldSince === undefined ? [] : [`newer content waits for a release since ${source.heldSince}`]),
  ];
  const sent = source.sent === undefined ? '' : `, sent ${source.sent}`;
  const derived = rest.derivedAt === undefined ? '' : `, applied ${rest.derivedAt}`;
  return [
    groupId,
    `source   from ${source.partner}, tag "${source.tag}", ${counted(source.size, 'byte')}, arrived ${source.received}${sent}`,
    ...state.map((text) => `         ${text}`),
    `policy   ${policy.name} v${policy.version}${derived}`,
    ...(refused === undefined
      ? []
      : [
          `         ${refused.policy} v${refused.policyVersion} refused it ${refused.at}: ${refused.code}: ${refused.cause}`,
        ]),
    ...rules.flatMap(({ rule, kind, changes, unlisted }) => [
      `rule     "${rule}" (${kind})`,
      ...changes.flatMap(({ path, before, after }) => [
        `         @ ${path}`,
        ...side('-', before),
        ...side('+', after),
      ]),
      ...(unlisted === undefined ? [] : [`         … and ${unlisted} more`]),
    ]),
    ...(rules.length === 0 ? ['rule     none changed anything'] : []),
    ...overlay.map(({ number, actor, at, node, conflict }) => {
      const why = conflict === undefined ? '' : `, conflicts since ${conflict.since}: ${conflict.why}`;
      return `edit     ${number} by ${actor} ${at}: ${node}${why}`;
    }),
    served === undefined
      ? 'served   nothing'
      : `served   tag "${served.tag}", ${counted(served.size, 'byte')}, since ${served.modified}`,
    ...rest.notified.map(({ at, subscribers }) => `notified ${at}: ${subscribers.join(', ')}`),
  ];
}

function side(sign: '-' | '+', text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split(/\r?\n/).map((line) => `           ${sign} ${line.trim()}`);
}
