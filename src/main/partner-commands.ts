// The commands about partner systems of a running gateway.
import type { Command } from 'commander';
import type { GatewayAddress } from '../manage/commands/management-client.ts';
import { addressed, example, type Json, terminal, type WithGateway } from './command-line.ts';

/** `partner`. */
export function addPartnerCommands(program: Command, withGateway: WithGateway): void {
  const partner = program
    .command('partner')
    .description('partner systems of a running gateway')
    .addHelpText('after', example('mcgw partner list --config config/red.yaml'));
  addressed(partner.command('list').description('list partners'), 'mcgw partner list --config config/red.yaml').action(
    (options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/partner.ts')).partnerList(client, options, terminal),
      ),
  );
  addressed(
    partner.command('pull').description('request a group from the partner that is its home (flow B)'),
    'mcgw partner pull red sip:border-7@red.example --config config/blue.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .argument('<group>', 'MC service group ID, or a pattern with * for all that are known here')
    .action((name: string, id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) => {
        const { partnerPull, partnerPullAll } = await import('../manage/commands/partner.ts');
        return (id.includes('*') ? partnerPullAll : partnerPull)(client, name, id, options, terminal);
      }),
    );
  addressed(
    partner.command('push').description('queue the delivery of a home group to a partner (flow A)'),
    'mcgw partner push blue sip:harbour-tg1@red.example --config config/red.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .argument('<group>', 'MC service group ID')
    .action((name: string, id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/partner.ts')).partnerPush(client, name, id, options, terminal),
      ),
    );

  addressed(
    partner
      .command('reconcile')
      .description('compare both sides group by group at the live partner; changes nothing without --repair'),
    'mcgw partner reconcile blue --pattern "sip:border-*@red.example" --config config/red.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .option('--pattern <pattern>', 'only groups whose ID matches; * stands for any run of characters', '*')
    .option('--repair', 'queue deliveries and requests for what differs', false)
    .action((name: string, options: GatewayAddress & Json & { pattern: string; repair: boolean }) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/partner-reconcile.ts')).partnerReconcile(client, name, options, terminal),
      ),
    );
  addressed(
    partner
      .command('test')
      .description('try TLS, identity, GET, SUBSCRIBE and NOTIFY, PUT and DELETE of a canary against the live partner'),
    'mcgw partner test blue --config config/red.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .action((name: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/partner-test.ts')).partnerTest(client, name, options, terminal),
      ),
    );
  addressed(
    partner.command('forget').description('remove all that is kept of a partner that is configured no more'),
    'mcgw partner forget green --config config/red.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .action((name: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/partner.ts')).partnerForget(client, name, options, terminal),
      ),
    );
}
