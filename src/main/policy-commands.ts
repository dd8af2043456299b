// The commands around policies: files by themselves, and versions at a running gateway.
import { type Command, Option } from 'commander';
import type { GatewayAddress } from '../manage/commands/management-client.ts';
import type { PolicyCheckOptions } from '../manage/commands/policy-check.ts';
import type { PolicyRevealOptions } from '../manage/commands/policy-reveal.ts';
import type { PolicyTryOptions } from '../manage/commands/policy-try.ts';
import type { PolicyChoice } from '../manage/commands/policy-versions.ts';
import { exitCodes } from '../manage/commands/terminal.ts';
import { addressed, example, type Finish, type Json, terminal, type WithGateway } from './command-line.ts';

/** `policy` with its files and its versions. */
export function addPolicyCommands(program: Command, withGateway: WithGateway, finish: Finish): void {
  const policy = program
    .command('policy')
    .description('policy files, and their versions at a running gateway')
    .addHelpText('after', example('mcgw policy try config/policies/from-red.yaml config/groups/joint-flood-2026.xml'));
  policy
    .command('try')
    .description('print the document a policy makes of a group; which rule changed what goes to standard error')
    .argument('<policy>', 'policy file')
    .argument('<group>', 'group document')
    .option('--partner <name>', 'partner the group comes from or goes to', 'partner')
    .option('--outbound', 'the policy is for what leaves', false)
    .option('--served-domain <domain...>', 'domains whose users are served here')
    .option('--served-user <uri...>', 'users of other systems who are served here')
    .option('--output <file>', 'write the document to a file instead')
    .option('--json', 'print JSON', false)
    .addHelpText('after', example('mcgw policy try config/policies/from-red.yaml config/groups/joint-flood-2026.xml'))
    .action(async (file: string, group: string, options: PolicyTryOptions) => {
      const { policyTry } = await import('../manage/commands/policy-try.ts');
      finish(await policyTry(file, group, options, terminal));
    });
  policy
    .command('check')
    .description('print every problem of policy files as file:line: key: text, and what in them selects nothing')
    .argument('<policy...>', 'policy files')
    .option('--group <file...>', 'group documents to try selections on, beside the shipped examples')
    .addHelpText('after', example('mcgw policy check config/policies/from-red.yaml'))
    .action(async (files: string[], options: PolicyCheckOptions) => {
      const { policyCheck } = await import('../manage/commands/policy-check.ts');
      finish(await policyCheck(files, options, terminal));
    });
  policy
    .command('reveal')
    .description('print who is behind pseudonyms; needs the key that made them')
    .argument('<pseudonym...>', 'URIs that a pseudonym rule made')
    .option('--key <file>', 'file of the key', 'pseudonym.key')
    .addHelpText(
      'after',
      example('mcgw policy reveal --key policies/pseudonym.key sip:p-…@red.example.pseudonym.invalid'),
    )
    .action(async (pseudonyms: string[], options: PolicyRevealOptions) => {
      const { policyReveal } = await import('../manage/commands/policy-reveal.ts');
      finish(await policyReveal(pseudonyms, options, terminal));
    });
  policy
    .command('schema')
    .description('print the JSON Schema of policy files, for editors')
    .addHelpText('after', example('mcgw policy schema > policy.schema.json'))
    .action(async () => {
      const { policyJsonSchema } = await import('../policy/policy-json-schema.ts');
      terminal.out(policyJsonSchema().trimEnd());
      finish(exitCodes.done);
    });
  addVersionCommands(policy, withGateway);
}

function addVersionCommands(policy: Command, withGateway: WithGateway): void {
  addressed(
    policy.command('list').description('list the policy in force for each partner and direction'),
    'mcgw policy list --config config/blue.yaml',
  ).action((options: GatewayAddress & Json) =>
    withGateway(options, async (client) =>
      (await import('../manage/commands/policy-versions.ts')).policyList(client, options, terminal),
    ),
  );
  const chosen = (command: Command): Command =>
    command
      .argument('<file|partner>', 'policy file, or a partner: its files as they are now')
      .option(
        '--partner <name>',
        'with a file: only for this partner; without, wherever a policy of its name is in force',
      )
      .addOption(new Option('--direction <direction>', 'only this direction').choices(['inbound', 'outbound']));
  chosen(
    addressed(
      policy
        .command('plan')
        .description(
          'run a policy over all stored groups and tell what would change and what would be refused; changes nothing',
        ),
      'mcgw policy plan config/policies/from-red.yaml --config config/blue.yaml',
    ),
  ).action((what: string, options: GatewayAddress & PolicyChoice) =>
    withGateway(options, async (client) =>
      (await import('../manage/commands/policy-versions.ts')).policyPlan(client, what, options, terminal),
    ),
  );
  chosen(
    addressed(
      policy.command('activate').description('bring a policy into force and derive all groups again'),
      'mcgw policy activate config/policies/from-red.yaml --config config/blue.yaml',
    ),
  )
    .option('--no-wait', 'do not wait until all groups are derived')
    .action((what: string, options: GatewayAddress & PolicyChoice & { wait: boolean }) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/policy-versions.ts')).policyActivate(client, what, options, terminal),
      ),
    );
  addressed(
    policy.command('rollback').description('bring the version before into force again'),
    'mcgw policy rollback red --direction inbound --config config/blue.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .addOption(new Option('--direction <direction>', 'only this direction').choices(['inbound', 'outbound']))
    .option('--no-wait', 'do not wait until all groups are derived')
    .action((partner: string, options: GatewayAddress & PolicyChoice & { wait: boolean }) =>
      withGateway(options, async (client) =>
        (await import('../manage/commands/policy-versions.ts')).policyRollback(client, partner, options, terminal),
      ),
    );
}
