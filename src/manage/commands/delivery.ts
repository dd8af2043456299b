// `mcgw delivery …`: the outbox of a running gateway.
import type { ListedDelivery } from '../listings.ts';
import type { ListOptions } from './group.ts';
import type { ManagementClient } from './management-client.ts';
import { columns, counted, exitCodes, type Terminal } from './terminal.ts';

export interface DeliveryFilter {
  readonly partner?: string | undefined;
  readonly state?: string | undefined;
}

/** Shows deliveries with the outcome of their last attempt. */
export async function deliveryList(
  client: ManagementClient,
  { json, partner, state }: ListOptions & DeliveryFilter,
  terminal: Terminal,
): Promise<number> {
  const query = new URLSearchParams({
    ...(partner === undefined ? {} : { partner }),
    ...(state === undefined ? {} : { state }),
  });
  const { deliveries } = (await client.json(`deliveries?${query}`)) as { deliveries: ListedDelivery[] };
  if (json) terminal.out(JSON.stringify(deliveries, null, 2));
  else {
    terminal.out(
      columns(
        ['PARTNER', 'GROUP', 'ACTION', 'STATE', 'ATTEMPTS', 'NOT BEFORE', 'OUTCOME'],
        deliveries.map((delivery) => [
          delivery.partner,
          delivery.groupId,
          delivery.action,
          delivery.state,
          String(delivery.attempts),
          delivery.notBefore,
          delivery.outcome,
        ]),
      ),
    );
    for (const advice of adviceOn(deliveries)) terminal.err(advice);
  }
  return exitCodes.done;
}

/** What an operator can do about deliveries that wait for one. */
function adviceOn(deliveries: readonly ListedDelivery[]): readonly string[] {
  const has = (state: ListedDelivery['state']): boolean => deliveries.some((delivery) => delivery.state === state);
  return [
    ...(has('braked') ? ['braked: mcgw delivery release PARTNER [GROUP] lets them go'] : []),
    ...(has('parked')
      ? ['parked: mcgw delivery retry PARTNER GROUP sends one again, as does a change of the group']
      : []),
  ];
}

/** Lets a waiting or parked delivery be tried at once. */
export async function deliveryRetry(
  client: ManagementClient,
  partner: string,
  groupId: string,
  terminal: Terminal,
): Promise<number> {
  await client.send({ method: 'POST', path: `${deliveryPath(partner, groupId)}/retry` });
  terminal.out(`${groupId} will be delivered to ${partner} now`);
  return exitCodes.done;
}

/** Lets go what the brake holds for a partner, or of it one group. */
export async function deliveryRelease(
  client: ManagementClient,
  partner: string,
  groupId: string | undefined,
  terminal: Terminal,
): Promise<number> {
  const path = groupId === undefined ? `deliveries/${encodeURIComponent(partner)}` : deliveryPath(partner, groupId);
  const answer = await client.send({ method: 'POST', path: `${path}/release` });
  const { released } = JSON.parse(answer.body) as { released: number };
  terminal.out(`${counted(released, 'withdrawal')} released for ${partner}`);
  if (groupId === undefined)
    terminal.err(`the brake of ${partner} holds nothing for interconnect.brake.window seconds from now`);
  return exitCodes.done;
}

/** Forgets a delivery. */
export async function deliveryDrop(
  client: ManagementClient,
  partner: string,
  groupId: string,
  terminal: Terminal,
): Promise<number> {
  await client.send({ method: 'DELETE', path: deliveryPath(partner, groupId) });
  terminal.out(`${groupId} for ${partner} dropped`);
  return exitCodes.done;
}

function deliveryPath(partner: string, groupId: string): string {
  return `deliveries/${encodeURIComponent(partner)}/${encodeURIComponent(groupId)}`;
}
