// The commands about local edits of groups of partners.
import type { Command } from 'commander';
import type { GatewayAddress } from '../manage/commands/management-client.ts';
import { addressed, example, type Json, terminal, type WithGateway, wholeNumberText } from './command-line.ts';

/** `overlay`. */
export function addOverlayCommands(program: Command, withGateway: WithGateway): void {
  const overlay = program
    .command('overlay')
    .description('local edits of groups of partners')
    .addHelpText('after', example('mcgw overlay list --config config/blue.yaml'));
  addressed(
    overlay.command('list').description('list groups with local edits'),
    'mcgw overlay list --config config/blue.yaml',
  ).action((options: GatewayAddress & Json) =>
    withGateway(options, async (client) =>
      (await import('../manage/commands/overlay.ts')).overlayList(client, options, terminal),
    ),
  );
  addressed(
    overlay.command('show').description('show the local edits of a group and which of them conflict'),
    'mcgw overlay show sip:border-7@red.example --config config/blue.yaml',
  )
    .argument('<group>', 'MC service group ID')
    .action((id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/overlay.ts')).overlayShow(client, id, options, terminal),
      ),
    );
  addressed(
    overlay.command('drop').description('drop the local edits of a group, or one of them'),
    'mcgw overlay drop sip:border-7@red.example --edit 2 --config config/blue.yaml',
  )
    .argument('<group>', 'MC service group ID')
    .option('--edit <number>', 'only this edit', wholeNumberText)
    .action((id: string, options: GatewayAddress & Json & { edit?: string }) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/overlay.ts')).overlayDrop(client, id, options, terminal),
      ),
    );
  addressed(
    overlay.command('rebase').description('drop the edits that conflict, or let one edit act at another place'),
    'mcgw overlay rebase sip:border-7@red.example --edit 2 --select "group/list-service/list" --config config/blue.yaml',
  )
    .argument('<group>', 'MC service group ID')
    .option('--edit <number>', 'the edit that acts at another place', wholeNumberText)
    .option('--select <selector>', 'with --edit: the selector (RFC 5261) of that place')
    .action((id: string, options: GatewayAddress & Json & { edit?: string; select?: string }) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/overlay.ts')).overlayRebase(client, id, options, terminal),
      ),
    );
}
