// The commands that need no running gateway: they run one, check its configuration or make files for it.
import type { Command } from 'commander';
import type { DigestUserOptions } from '../manage/commands/digest-user.ts';
import { example, type Finish, interrupted, terminal, wholeNumber } from './command-line.ts';

/** `demo`, `serve`, `engine`, `check`, `certificates`, `digest-user`. */
export function addLocalCommands(program: Command, finish: Finish): void {
  program
    .command('demo')
    .description('start two interconnected systems on loopback and play both flows between them')
    .option('--once', 'play, verify and stop', false)
    .addHelpText('after', example('mcgw demo --once'))
    .action(async ({ once }: { once: boolean }) => {
      const { runDemo } = await import('../demo/run-demo.ts');
      finish(await runDemo({ once, write: terminal.out, stopped: interrupted() }));
    });

  program
    .command('serve')
    .description('run one gateway until SIGTERM; SIGHUP reloads what can be reloaded')
    .requiredOption('--config <file>', 'configuration of the gateway')
    .addHelpText('after', example('mcgw serve --config config/red.yaml'))
    .action(async ({ config }: { config: string }) => {
      const [{ serve }, { startGateway }] = await Promise.all([
        import('../manage/commands/serve.ts'),
        import('../gateway.ts'),
      ]);
      finish(await serve(config, startGateway, terminal));
    });

  program
    .command('engine')
    .description('run the SIP engine alone, at the control address sip.engine.drachtio, until SIGTERM')
    .requiredOption('--config <file>', 'configuration of the gateway that will use it')
    .addHelpText('after', example('mcgw engine --config config/red.yaml'))
    .action(async ({ config }: { config: string }) => {
      const { runEngine } = await import('../gateway/run-engine.ts');
      finish(await runEngine(config, terminal, interrupted()));
    });

  program
    .command('check')
    .description('print every problem of a configuration, its policies and certificates as file:line: key: text')
    .requiredOption('--config <file>', 'configuration to check')
    .option(
      '--connect',
      'connect to the PostgreSQL database of storage.postgres, and look whether a gateway can start on it',
    )
    .addHelpText('after', example('mcgw check --config config/red.yaml'))
    .action(async ({ config, ...options }: { config: string; connect?: boolean }) => {
      const { check } = await import('../manage/commands/check.ts');
      finish(await check(config, terminal, options));
    });

  program
    .command('certificates')
    .description('create a lab CA and certificates for the example systems red and blue')
    .requiredOption('--dir <dir>', 'folder to write to')
    .option('--force', 'replace files that are there', false)
    .option('--days <days>', 'days of validity', wholeNumber, 825)
    .addHelpText('after', example('mcgw certificates --dir config/certificates'))
    .action(async (options: { dir: string; force: boolean; days: number }) => {
      const { certificates } = await import('../manage/commands/certificates.ts');
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
        import('../manage/commands/digest-user.ts'),
        import('../manage/commands/password.ts'),
      ]);
      finish(await digestUser(name, options, () => readPassword(process.stdin, process.stderr), terminal));
    });
}
