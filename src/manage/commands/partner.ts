// `mcgw partner …`: the partner systems of a running gateway.
import type { ListedPartner } from '../listings.ts';
import type { ListOptions } from './group.ts';
import type { ManagementClient } from './management-client.ts';
import { columns, exitCodes, type Terminal } from './terminal.ts';

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
          partner.active ? 'active' : `${partner.state}, not in force`,
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
  return exitCodes.done;
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

async function post(client: ManagementClient, path: string, body: object): Promise<unknown> {
  const contentType = 'application/json';
  const answer = await client.send({ method: 'POST', path, contentType, body: JSON.stringify(body) });
  return JSON.parse(answer.body);
}
