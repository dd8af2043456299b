// The command line of mcgw: parses arguments and calls one function per command.
// Commands are imported when they are called, so that `--help` and the small ones start fast.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { gatewayVersion } from './gateway/version.ts';
import type { AuditFilter } from './manage/commands/audit.ts';
import type { DigestUserOptions } from './manage/commands/digest-user.ts';
import type { GatewayAddress, ManagementClient } from './manage/commands/management-client.ts';
import type { PolicyCheckOptions } from './manage/commands/policy-check.ts';
import type { PolicyRevealOptions } from './manage/commands/policy-reveal.ts';
import type { PolicyTryOptions } from './manage/commands/policy-try.ts';
import type { PolicyChoice } from './manage/commands/policy-versions.ts';
import { exitCodes, type Terminal } from './manage/commands/terminal.ts';

type Json = { readonly json: boolean };
type WithGateway = (options: GatewayAddress, run: (client: ManagementClient) => Promise<number>) => Promise<void>;

const terminal: Terminal = {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
};

/** Runs one command line (without node and script); resolves to the exit code: 0 done, 1 refused or failed, 2 wrong usage. */
export async function main(argv: readonly string[]): Promise<number> {
  let code: number = exitCodes.done;
  const program = commandLine((done) => {
    code = done;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.wrongUsage;
    throw error;
  }
}

function commandLine(finish: (code: number) => void): Command {
  const program = new Command('mcgw');
  program
    .description(
      'Group management server face of a mission-critical system towards other systems (TS 23.280 clause 10.2.7)',
    )
    .version(gatewayVersion(), '--version', 'print the version')
    .exitOverride()
    .showHelpAfterError('(mcgw COMMAND --help tells more)')
    .configureHelp({ showGlobalOptions: true });

  program
    .command('demo')
    .description('start two interconnected systems on loopback and play both flows between them')
    .option('--once', 'play, verify and stop', false)
    .addHelpText('after', example('mcgw demo --once'))
    .action(async ({ once }: { once: boolean }) => {
      const { runDemo } = await import('./demo/run-demo.ts');
      finish(await runDemo({ once, write: terminal.out, stopped: interrupted() }));
    });

  program
    .command('serve')
    .description('run one gateway until SIGTERM; SIGHUP reloads what can be reloaded')
    .requiredOption('--config <file>', 'configuration of the gateway')
    .addHelpText('after', example('mcgw serve --config config/red.yaml'))
    .action(async ({ config }: { config: string }) => {
      const [{ serve }, { startGateway }] = await Promise.all([
        import('./manage/commands/serve.ts'),
        import('./gateway.ts'),
      ]);
      finish(await serve(config, startGateway, terminal));
    });

  program
    .command('engine')
    .description('run the SIP engine alone, at the control address sip.engine.drachtio, until SIGTERM')
    .requiredOption('--config <file>', 'configuration of the gateway that will use it')
    .addHelpText('after', example('mcgw engine --config config/red.yaml'))
    .action(async ({ config }: { config: string }) => {
      const { runEngine } = await import('./gateway/run-engine.ts');
      finish(await runEngine(config, terminal, interrupted()));
    });

  program
    .command('check')
    .description('print every problem of a configuration, its policies and certificates as file:line: key: text')
    .requiredOption('--config <file>', 'configuration to check')
    .addHelpText('after', example('mcgw check --config config/red.yaml'))
    .action(async ({ config }: { config: string }) => {
      const { check } = await import('./manage/commands/check.ts');
      finish(await check(config, terminal));
    });

  program
    .command('certificates')
    .description('create a lab CA and certificates for the example systems red and blue')
    .requiredOption('--dir <dir>', 'folder to write to')
    .option('--force', 'replace files that are there', false)
    .option('--days <days>', 'days of validity', wholeNumber, 825)
    .addHelpText('after', example('mcgw certificates --dir config/certificates'))
    .action(async (options: { dir: string; force: boolean; days: number }) => {
      const { certificates } = await import('./manage/commands/certificates.ts');
      finish(await certificates(options, terminal));
    });

  program
    .command('digest-user')
    .description(
      'print the line of a Digest user for the file identity.digest.users; the password comes on standard input',
    )
    .argument('<name>', 'name of the user')
    .requiredOption('--realm <realm>', 'realm, as in identity.digest.realm')
    .requiredOption('--identity <uri...>', 'MC service IDs the user has')
    .addHelpText(
      'after',
      example('mcgw digest-user ines --realm blue.example --identity sip:ines@blue.example >> users.txt'),
    )
    .action(async (name: string, options: DigestUserOptions) => {
      const [{ digestUser }, { readPassword }] = await Promise.all([
        import('./manage/commands/digest-user.ts'),
        import('./manage/commands/password.ts'),
      ]);
      finish(await digestUser(name, options, () => readPassword(process.stdin, process.stderr), terminal));
    });

  addGatewayCommands(program, addPolicyCommands(program, finish), finish);
  return program;
}

function addPolicyCommands(program: Command, finish: (code: number) => void): Command {
  const policy = program.command('policy').description('policy files, and their versions at a running gateway');
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
      const { policyTry } = await import('./manage/commands/policy-try.ts');
      finish(await policyTry(file, group, options, terminal));
    });
  policy
    .command('check')
    .description('print every problem of policy files as file:line: key: text, and what in them selects nothing')
    .argument('<policy...>', 'policy files')
    .option('--group <file...>', 'group documents to try selections on, beside the shipped examples')
    .addHelpText('after', example('mcgw policy check config/policies/from-red.yaml'))
    .action(async (files: string[], options: PolicyCheckOptions) => {
      const { policyCheck } = await import('./manage/commands/policy-check.ts');
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
      const { policyReveal } = await import('./manage/commands/policy-reveal.ts');
      finish(await policyReveal(pseudonyms, options, terminal));
    });
  policy
    .command('schema')
    .description('print the JSON Schema of policy files, for editors')
    .addHelpText('after', example('mcgw policy schema > policy.schema.json'))
    .action(async () => {
      const { policyJsonSchema } = await import('./policy/policy-json-schema.ts');
      terminal.out(policyJsonSchema().trimEnd());
      finish(exitCodes.done);
    });
  return policy;
}

function addGatewayCommands(program: Command, policy: Command, finish: (code: number) => void): void {
  const withGateway: WithGateway = async (options, run) => {
    const { AddressProblem, ManagementFailure, managementClient } = await import(
      './manage/commands/management-client.ts'
    );
    let client: ManagementClient | undefined;
    try {
      client = managementClient(options);
      finish(await run(client));
    } catch (error) {
      if (!(error instanceof AddressProblem || error instanceof ManagementFailure)) throw error;
      terminal.err(error.message);
      finish(error instanceof AddressProblem ? exitCodes.wrongUsage : exitCodes.failed);
    } finally {
      await client?.close();
    }
  };

  addAuditCommands(program, withGateway, finish);
  addVersionCommands(policy, withGateway);
  addOverlayCommands(program, withGateway);

  const group = program.command('group').description('groups of a running gateway');
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
          (await import('./manage/commands/group.ts')).groupList(client, options, terminal),
        ),
    );
  addressed(
    group.command('get').description('print a group document; --json prints what is known about it'),
    'mcgw group get sip:harbour-tg1@red.example --config config/red.yaml',
  )
    .argument('<id>', 'MC service group ID')
    .action((id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/group.ts')).groupGet(client, id, options, terminal),
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
        (await import('./manage/commands/group.ts')).groupPut(client, id, file, options, terminal),
      ),
    );
  addressed(
    group.command('delete').description('delete a home group'),
    'mcgw group delete sip:harbour-tg1@red.example --config config/red.yaml',
  )
    .argument('<id>', 'MC service group ID')
    .action((id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/group.ts')).groupDelete(client, id, terminal),
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
        const { explainAll, groupExplain } = await import('./manage/commands/explain.ts');
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
        (await import('./manage/commands/group.ts')).groupRelease(client, id, options, terminal),
      ),
    );

  const partner = program.command('partner').description('partner systems of a running gateway');
  addressed(partner.command('list').description('list partners'), 'mcgw partner list --config config/red.yaml').action(
    (options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/partner.ts')).partnerList(client, options, terminal),
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
        const { partnerPull, partnerPullAll } = await import('./manage/commands/partner.ts');
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
        (await import('./manage/commands/partner.ts')).partnerPush(client, name, id, options, terminal),
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
        (await import('./manage/commands/partner-reconcile.ts')).partnerReconcile(client, name, options, terminal),
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
        (await import('./manage/commands/partner-test.ts')).partnerTest(client, name, options, terminal),
      ),
    );
  addressed(
    partner.command('forget').description('remove all that is kept of a partner that is configured no more'),
    'mcgw partner forget green --config config/red.yaml',
  )
    .argument('<partner>', 'name of the partner')
    .action((name: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/partner.ts')).partnerForget(client, name, options, terminal),
      ),
    );

  const delivery = program.command('delivery').description('what waits to be delivered to partners');
  addressed(
    delivery.command('list').description('list deliveries and their last outcome'),
    'mcgw delivery list --state parked --config config/red.yaml',
  )
    .option('--partner <name>', 'only for this partner')
    .addOption(new Option('--state <state>', 'only in this state').choices(['queued', 'delivered', 'parked', 'braked']))
    .action((options: GatewayAddress & Json & { partner?: string; state?: string }) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/delivery.ts')).deliveryList(client, options, terminal),
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
        (await import('./manage/commands/delivery.ts')).deliveryRetry(client, name, id, terminal),
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
        (await import('./manage/commands/delivery.ts')).deliveryRelease(client, name, id, terminal),
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
        (await import('./manage/commands/delivery.ts')).deliveryDrop(client, name, id, terminal),
      ),
    );

  const subscription = program.command('subscription').description('subscriptions at a running gateway');
  addressed(
    subscription.command('list').description('list subscriptions'),
    'mcgw subscription list --config config/blue.yaml',
  ).action((options: GatewayAddress & Json) =>
    withGateway(options, async (client) =>
      (await import('./manage/commands/subscription.ts')).subscriptionList(client, options, terminal),
    ),
  );
}

function addVersionCommands(policy: Command, withGateway: WithGateway): void {
  addressed(
    policy.command('list').description('list the policy in force for each partner and direction'),
    'mcgw policy list --config config/blue.yaml',
  ).action((options: GatewayAddress & Json) =>
    withGateway(options, async (client) =>
      (await import('./manage/commands/policy-versions.ts')).policyList(client, options, terminal),
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
      (await import('./manage/commands/policy-versions.ts')).policyPlan(client, what, options, terminal),
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
        (await import('./manage/commands/policy-versions.ts')).policyActivate(client, what, options, terminal),
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
        (await import('./manage/commands/policy-versions.ts')).policyRollback(client, partner, options, terminal),
      ),
    );
}

function addOverlayCommands(program: Command, withGateway: WithGateway): void {
  const overlay = program.command('overlay').description('local edits of groups of partners');
  addressed(
    overlay.command('list').description('list groups with local edits'),
    'mcgw overlay list --config config/blue.yaml',
  ).action((options: GatewayAddress & Json) =>
    withGateway(options, async (client) =>
      (await import('./manage/commands/overlay.ts')).overlayList(client, options, terminal),
    ),
  );
  addressed(
    overlay.command('show').description('show the local edits of a group and which of them conflict'),
    'mcgw overlay show sip:border-7@red.example --config config/blue.yaml',
  )
    .argument('<group>', 'MC service group ID')
    .action((id: string, options: GatewayAddress & Json) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/overlay.ts')).overlayShow(client, id, options, terminal),
      ),
    );
  addressed(
    overlay.command('drop').description('drop the local edits of a group, or one of them'),
    'mcgw overlay drop sip:border-7@red.example --edit 2 --config config/blue.yaml',
  )
    .argument('<group>', 'MC service group ID')
    .option('--edit <number>', 'only this edit')
    .action((id: string, options: GatewayAddress & Json & { edit?: string }) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/overlay.ts')).overlayDrop(client, id, options, terminal),
      ),
    );
  addressed(
    overlay.command('rebase').description('drop the edits that conflict, or let one edit act at another place'),
    'mcgw overlay rebase sip:border-7@red.example --edit 2 --select "group/list-service/list" --config config/blue.yaml',
  )
    .argument('<group>', 'MC service group ID')
    .option('--edit <number>', 'the edit that acts at another place')
    .option('--select <selector>', 'with --edit: the selector (RFC 5261) of that place')
    .action((id: string, options: GatewayAddress & Json & { edit?: string; select?: string }) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/overlay.ts')).overlayRebase(client, id, options, terminal),
      ),
    );
}

function addAuditCommands(program: Command, withGateway: WithGateway, finish: (code: number) => void): void {
  const audit = program.command('audit').description('the journal: who did what, proved by a chain of hashes');
  const filtered = (command: Command): Command =>
    command
      .option('--since <instant>', 'only entries from then on: ISO 8601, or a span before now such as 24h or 7d')
      .option('--until <instant>', 'only entries before then')
      .option('--subject <id>', 'only entries about this group ID or path')
      .option('--actor <id>', 'only what this identity did')
      .option('--action <action>', 'only entries of this kind, such as document-put')
      .option('--after <sequence>', 'only entries behind this sequence');
  filtered(
    addressed(
      audit.command('list').description('list entries, oldest first'),
      'mcgw audit list --since 24h --config config/red.yaml',
    ),
  )
    .option('--limit <count>', 'entries at most (200, up to 1000)')
    .action((options: GatewayAddress & Json & AuditFilter & { limit?: string }) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/audit.ts')).auditList(client, options, terminal),
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
        (await import('./manage/commands/audit.ts')).auditExport(client, options, process.stdout),
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
        finish(await (await import('./manage/commands/audit.ts')).auditVerifyStore(options, terminal));
      else {
        await withGateway(options, async (client) =>
          (await import('./manage/commands/audit.ts')).auditVerify(client, options, terminal),
        );
      }
    });
  addressed(
    audit.command('erase').description('take a person out of the journal; the chain still holds'),
    'mcgw audit erase --person sip:ines@blue.example --config config/blue.yaml',
  )
    .requiredOption('--person <id>', 'URI of an identity of the person')
    .action((options: GatewayAddress & { person: string }) =>
      withGateway(options, async (client) =>
        (await import('./manage/commands/audit.ts')).auditErase(client, options.person, terminal),
      ),
    );
}

function addressed(command: Command, exampleText: string): Command {
  return command
    .option('--config <file>', 'configuration of the gateway; gives URL and token')
    .option('--url <url>', 'URL of its management API')
    .option('--token <token>', 'bearer token of its management API')
    .option('--ca <file>', 'CA of its management listener, PEM')
    .option('--json', 'print JSON', false)
    .addHelpText('after', example(exampleText));
}

function example(text: string): string {
  return `\nExample:\n  $ ${text}`;
}

function wholeNumber(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) === 0) throw new InvalidArgumentError('must be a whole number above 0');
  return Number(value);
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}
