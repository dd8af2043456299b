// The commands about the journal.
import { type Command, Option } from 'commander';
import type { AuditFilter } from '../manage/commands/audit.ts';
import type { GatewayAddress } from '../manage/commands/management-client.ts';
import { instantForms } from '../manage/instants.ts';
import {
  addressed,
  example,
  type Finish,
  type Json,
  terminal,
  type WithGateway,
  wholeNumberText,
} from './command-line.ts';

/** `audit`. */
export function addAuditCommands(program: Command, withGateway: WithGateway, finish: Finish): void {
  const audit = program
    .command('audit')
    .description('the journal: who did what, proved by a chain of hashes')
    .addHelpText('after', example('mcgw audit list --since 2h --config config/red.yaml'));
  const filtered = (command: Command): Command =>
    command
      .option('--since <instant>', `only entries from then on: ${instantForms}`)
      .option('--until <instant>', 'only entries before then, written alike')
      .option('--subject <id>', 'only entries about this group ID or path')
      .option('--actor <id>', 'only what this identity did')
      .option('--action <action>', 'only entries of this kind, such as document-put')
      .option('--after <sequence>', 'only entries behind this sequence', wholeNumberText);
  filtered(
    addressed(
      audit.command('list').description('list entries, oldest first'),
      'mcgw audit list --since 24h --config config/red.yaml',
    ),
  )
    .option('--limit <count>', 'entries at most (200, up to 1000)', wholeNumberText)
    .action((options: GatewayAddress & Json & AuditFilter & { limit?: string }) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/audit.ts')).auditList(client, options, terminal),
      ),
    );
  filtered(
    addressed(
      audit.command('export').description('write all entries as JSON lines, for a SIEM'),
      'mcgw audit export --since 2026-01-01 --format jsonl --config config/red.yaml > journal.jsonl',
    ),
  )
    .addOption(new Option('--format <format>', 'form of the output').choices(['jsonl']).default('jsonl'))
    .action((options: GatewayAddress & AuditFilter) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/audit.ts')).auditExport(client, options, process.stdout),
      ),
    );
  addressed(
    audit
      .command('verify')
      .description('prove that no entry was changed or removed, or name the first one; 1 when the chain is broken'),
    'mcgw audit verify --config config/red.yaml',
  )
    .option('--anchor <anchor>', 'SEQUENCE:HASH that an earlier verification printed: must be in the chain')
    .option('--offline', 'read the store of the configuration itself; no gateway may have it open', false)
    .action(async (options: GatewayAddress & Json & { anchor?: string; offline: boolean }) => {
      if (options.offline)
        finish(await (await import('../manage/commands/audit.ts')).auditVerifyStore(options, terminal));
      else {
        await withGateway(options, async (client) =>
          (await import('../manage/commands/audit.ts')).auditVerify(client, options, terminal),
        );
      }
    });
  addressed(
    audit
      .command('erase')
      .description(
        'take a person out of the journal, whose chain still holds, and out of the authors of local edits and policies',
      ),
    'mcgw audit erase --person sip:ines@blue.example --config config/blue.yaml',
  )
    .requiredOption('--person <id>', 'URI of an identity of the person')
    .action((options: GatewayAddress & { person: string }) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/audit.ts')).auditErase(client, options.person, terminal),
      ),
    );
}
