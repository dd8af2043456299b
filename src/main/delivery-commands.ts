// The commands about what a running gateway has to tell others: deliveries to partners, subscriptions.
import { type Command, Option } from 'commander';
import type { GatewayAddress } from '../manage/commands/management-client.ts';
import { addressed, example, type Json, terminal, type WithGateway } from './command-line.ts';

/** `delivery` and `subscription`. */
export function addDeliveryCommands(program: Command, withGateway: WithGateway): void {
  const delivery = program
    .command('delivery')
    .description('what waits to be delivered to partners')
    .addHelpText('after', example('mcgw delivery list --config config/red.yaml'));
  addressed(
    delivery.command('list').description('list deliveries and their last outcome'),
    'mcgw delivery list --state parked --config config/red.yaml',
  )
    .option('--partner <name>', 'only for this partner')
    .addOption(new Option('--state <state>', 'only in this state').choices(['queued', 'delivered', 'parked', 'braked']))
    .action((options: GatewayAddress & Json & { partner?: string; state?: string }) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/delivery.ts')).deliveryList(client, options, terminal),
      ),
    );
  addressed(
    delivery.command('retry').description('try a waiting or parked delivery at once'),
    'mcgw delivery retry blue sip:harbour-tg1@red.example --config config/red.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .argument('<group>', 'MC service group ID')
    .action((name: string, id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/delivery.ts')).deliveryRetry(client, name, id, terminal),
      ),
    );
  addressed(
    delivery.command('release').description('let go the withdrawals that the brake holds for a partner'),
    'mcgw delivery release blue --config config/red.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .argument('[group]', 'only this MC service group ID')
    .action((name: string, id: string | undefined, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/delivery.ts')).deliveryRelease(client, name, id, terminal),
      ),
    );
  addressed(
    delivery.command('drop').description('forget a delivery'),
    'mcgw delivery drop blue sip:harbour-tg1@red.example --config config/red.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .argument('<group>', 'MC service group ID')
    .action((name: string, id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/delivery.ts')).deliveryDrop(client, name, id, terminal),
      ),
    );

  const subscription = program
    .command('subscription')
    .description('subscriptions at a running gateway')
    .addHelpText('after', example('mcgw subscription list --config config/blue.yaml'));
  addressed(
    subscription.command('list').description('list subscriptions'),
    'mcgw subscription list --config config/blue.yaml',
  ).action((options: GatewayAddress & Json) =>
    withGateway(options, async (client) =>
      (await import('../manage/commands/subscription.ts')).subscriptionList(client, options, terminal),
    ),
  );
}
