// The commands about groups of a running gateway.
import type { Command } from 'commander';
import type { GatewayAddress } from '../manage/commands/management-client.ts';
import { addressed, example, type Json, terminal, type WithGateway } from './command-line.ts';

/** `group`. */
export function addGroupCommands(program: Command, withGateway: WithGateway): void {
  const group = program
    .command('group')
    .description('groups of a running gateway')
    .addHelpText('after', example('mcgw group list --config config/blue.yaml'));
  addressed(
    group.command('list').description('list home and foreign groups'),
    'mcgw group list --config config/blue.yaml',
  )
    .option('--partner <name>', 'only groups of this partner')
    .option('--held', 'only groups that wait for a release', false)
    .option('--refused', 'only groups whose source the policy of now does not accept', false)
    .option('--profile', 'what user profiles say about groups of partners: ID, GMS and XCAP root', false)
    .action(
      (options: GatewayAddress & Json & { partner?: string; held: boolean; refused: boolean; profile: boolean }) =>
        withGateway(options, async (client) =>
          (await import('../manage/commands/group.ts')).groupList(client, options, terminal),
        ),
    );
  addressed(
    group.command('get').description('print a group document; --json prints what is known about it'),
    'mcgw group get sip:harbour-tg1@red.example --config config/red.yaml',
  )
    .argument('<id>', 'MC service group ID')
    .action((id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/group.ts')).groupGet(client, id, options, terminal),
      ),
    );
  addressed(
    group.command('put').description('create or replace a home group'),
    'mcgw group put sip:harbour-tg1@red.example config/groups/harbour-tg1.xml --config config/red.yaml',
  )
    .argument('<id>', 'MC service group ID')
    .argument('<file>', 'group document')
    .action((id: string, file: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/group.ts')).groupPut(client, id, file, options, terminal),
      ),
    );
  addressed(
    group.command('delete').description('delete a home group'),
    'mcgw group delete sip:harbour-tg1@red.example --config config/red.yaml',
  )
    .argument('<id>', 'MC service group ID')
    .action((id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/group.ts')).groupDelete(client, id, terminal),
      ),
    );
  addressed(
    group
      .command('explain')
      .description('tell where the served copy of a foreign group comes from: source, policy, rules, local edits'),
    'mcgw group explain sip:border-7@red.example --config config/blue.yaml',
  )
    .argument('[id]', 'MC service group ID; left out: all foreign groups as JSON lines')
    .option('--partner <name>', 'without an ID: only groups of this partner')
    .action((id: string | undefined, options: GatewayAddress & Json & { partner?: string }) =>
      withGateway(options, async (client) => {
        const { explainAll, groupExplain } = await import('../manage/commands/explain.ts');
        if (id === undefined) return explainAll(client, options.partner, process.stdout);
        return groupExplain(client, id, options, terminal);
      }),
    );
  addressed(
    group.command('release').description('serve a foreign group that waits for an operator (accept: manual)'),
    'mcgw group release sip:border-7@red.example --config config/blue.yaml',
  )
    .argument('<id>', 'MC service group ID')
    .action((id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/group.ts')).groupRelease(client, id, options, terminal),
      ),
    );
}
