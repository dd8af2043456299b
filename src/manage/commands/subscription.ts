// `mcgw subscription …`: who is subscribed at a running gateway.
import type { ListedSubscription } from '../listings.ts';
import type { ListOptions } from './group.ts';
import type { ManagementClient } from './management-client.ts';
import { columns, exitCodes, type Terminal } from './terminal.ts';

/** Shows the subscriptions. */
export async function subscriptionList(
  client: ManagementClient,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  const { subscriptions } = (await client.json('subscriptions')) as { subscriptions: ListedSubscription[] };
  if (json) terminal.out(JSON.stringify(subscriptions, null, 2));
  else {
    terminal.out(
      columns(
        ['SUBSCRIBER', 'ROLE', 'EXPIRES', 'TOLD', 'RESOURCES'],
        subscriptions.map(({ subscriber, role, expires, told, resources }) => [
          subscriber,
          role,
          expires,
          String(told),
          resources.join(' '),
        ]),
      ),
    );
  }
  return exitCodes.done;
}
