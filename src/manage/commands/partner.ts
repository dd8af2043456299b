// `mcgw partner …`: the partner systems of a running gateway.
import { setTimeout } from 'node:timers/promises';
import type { PullProgress } from '../../interconnect/ports.ts';
import type { ListedPartner } from '../listings.ts';
import type { ListOptions } from './group.ts';
import type { ManagementClient } from './management-client.ts';
import { columns, counted, exitCodes, type Terminal } from './terminal.ts';

/** Shows the partners, their agreements and what waits for them. */
export async function partnerList(
  client: ManagementClient,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  const { partners } = (await client.json('partners')) as { partners: ListedPartner[] };
  if (json) terminal.out(JSON.stringify(partners, null, 2));
  else {
    terminal.out(
      columns(
        ['PARTNER', 'DOMAINS', 'AGREEMENT', 'GROUPS HELD', 'STALE', 'QUEUED', 'PARKED', 'BRAKED', 'CIRCUIT'],
        partners.map((partner) => [
          partner.name,
          partner.domains.join(','),
          agreementOf(partner),
          String(partner.groupsHeld),
          String(partner.groupsStale),
          String(partner.deliveries.queued),
          String(partner.deliveries.parked),
          String(partner.deliveries.braked),
          partner.deliveries.circuit,
        ]),
      ),
    );
  }
  if (!json) for (const partner of partners) for (const line of warnings(partner)) terminal.err(line);
  return exitCodes.done;
}

function warnings({ name, state, groupsHeld, homes = [] }: ListedPartner): readonly string[] {
  if (state !== 'removed' || groupsHeld === 0) return [];
  const what = `warning: ${groupsHeld} stored group${groupsHeld === 1 ? ' belongs' : 's belong'} to ${name}, which is not configured`;
  const renamed = homes
    .map((home) => `; renamed? "mcgw partner pull ${home} '*'" takes over what ${home} gives`)
    .join('');
  return [`${what}${renamed}; "mcgw partner forget ${name}" removes what is kept`];
}

function agreementOf({ active, state }: ListedPartner): string {
  if (active) return 'active';
  return state === 'removed' ? 'configured no more' : `${state}, not in force`;
}

/** Flow B by hand: requests a group from the partner that is its home. */
export async function partnerPull(
  client: ManagementClient,
  partner: string,
  groupId: string,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  const outcome = await post(client, `partners/${encodeURIComponent(partner)}/pull`, { groupId });
  const { outcome: name, changed, tag } = outcome as { outcome: string; changed?: boolean; tag?: string };
  const said = name === 'stored' && changed === false ? 'stored, no change by policy' : name;
  terminal.out(
    json ? JSON.stringify(outcome, null, 2) : `${groupId} ${said}${tag === undefined ? '' : `, tag "${tag}"`}`,
  );
  return exitCodes.done;
}

/** Flow B by hand for all known groups that match a pattern; tells progress until it has ended. */
export async function partnerPullAll(
  client: ManagementClient,
  partner: string,
  pattern: string,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  const path = `partners/${encodeURIComponent(partner)}/pull`;
  let progress = (await post(client, path, { groups: pattern })) as PullProgress;
  let told = Date.now();
  while (progress.finished === undefined) {
    await setTimeout(pollInterval);
    progress = (await client.json(path)) as PullProgress;
    if (Date.now() - told < tellInterval) continue;
    told = Date.now();
    terminal.err(progressLine(progress));
  }
  const failures = progress.failures.map(({ groupId, code }) => `\n${groupId} failed: ${code}`).join('');
  terminal.out(json ? JSON.stringify(progress, null, 2) : progressLine(progress) + failures);
  return progress.failed === 0 ? exitCodes.done : exitCodes.failed;
}

/** Milliseconds between two questions for progress, and between two lines about it. */
const pollInterval = 100;
const tellInterval = 1000;

function progressLine({ total, stored, unchanged, removed, failed }: PullProgress): string {
  const asked = stored + unchanged + removed + failed;
  return `${asked} of ${total} asked for: ${stored} stored, ${unchanged} unchanged, ${removed} removed, ${failed} failed`;
}

/** Flow A by hand: queues the delivery of one of our groups to the partner. */
export async function partnerPush(
  client: ManagementClient,
  partner: string,
  groupId: string,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  const delivery = await post(client, `partners/${encodeURIComponent(partner)}/push`, { groupId });
  terminal.out(json ? JSON.stringify(delivery, null, 2) : `${groupId} queued for ${partner}`);
  return exitCodes.done;
}

/** Removes all that is kept of a partner that is configured no more. */
export async function partnerForget(
  client: ManagementClient,
  partner: string,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  const answer = await client.send({ method: 'DELETE', path: `partners/${encodeURIComponent(partner)}` });
  const { groups, deliveries } = JSON.parse(answer.body) as { groups: number; deliveries: number };
  terminal.out(
    json
      ? answer.body
      : `${partner} forgotten: ${counted(groups, 'group')} removed, ${counted(deliveries, 'delivery', 'deliveries')} dropped`,
  );
  return exitCodes.done;
}

async function post(client: ManagementClient, path: string, body: object): Promise<unknown> {
  const contentType = 'application/json';
  const answer = await client.send({ method: 'POST', path, contentType, body: JSON.stringify(body) });
  return JSON.parse(answer.body);
}
