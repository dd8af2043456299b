// The command line of mcgw: parses arguments and calls one function per command; the commands are described in main/.
// Commands are imported when they are called, so that `--help` and the small ones start fast.
import { Command, CommanderError, type Option } from 'commander';
import { gatewayVersion } from './gateway/version.ts';
import { addAuditCommands } from './main/audit-commands.ts';
import { example, type Finish, gatewayRunner, terminal } from './main/command-line.ts';
import { addDeliveryCommands } from './main/delivery-commands.ts';
import { addGroupCommands } from './main/group-commands.ts';
import { addLocalCommands } from './main/local-commands.ts';
import { addOverlayCommands } from './main/overlay-commands.ts';
import { addPartnerCommands } from './main/partner-commands.ts';
import { addPolicyCommands } from './main/policy-commands.ts';
import { exitCodes, harmless } from './manage/commands/terminal.ts';

/** Runs one command line (without node and script); resolves to the exit code: 0 done, 1 refused or failed, 2 wrong usage. Never rejects. */
export async function main(argv: readonly string[]): Promise<number> {
  let code: number = exitCodes.done;
  const program = commandLine((done) => {
    code = done;
  });
  try {
    await program.parseAsync(askedFor(program, argv), { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.wrongUsage;
    terminal.err(`mcgw: ${faultText(error)}`);
    return exitCodes.failed;
  }
}

/** The whole command line. */
export function commandLine(finish: Finish): Command {
  const program = new Command('mcgw');
  program
    .description(
      'Group management server face of a mission-critical system towards other systems (TS 23.280 clause 10.2.7)',
    )
    .version(gatewayVersion(), '--version', 'print the version')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${text.trim().replace(/\s*\n\s*/g, ' ')}\n`) })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', example('mcgw check --config config/red.yaml'))
    .addHelpText('after', '\nExit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration');

  const withGateway = gatewayRunner(finish);
  addLocalCommands(program, finish);
  addPolicyCommands(program, withGateway, finish);
  addAuditCommands(program, withGateway, finish);
  addOverlayCommands(program, withGateway);
  addGroupCommands(program, withGateway);
  addPartnerCommands(program, withGateway);
  addDeliveryCommands(program, withGateway);
  const mandatory = new Set<Option>();
  arrange(program, 'mcgw', mandatory);
  program.hook('preAction', (_program, command) => {
    for (const option of command.options) {
      if (!mandatory.has(option) || command.getOptionValue(option.attributeName()) !== undefined) continue;
      command.error(`error: required option '${option.flags}' not specified`);
    }
  });
  return program;
}

/** Says for each command where its help is, and puts off what is mandatory: who misspelt an option shall hear of that first. */
function arrange(command: Command, name: string, mandatory: Set<Option>): void {
  command.showHelpAfterError(`(${name} --help tells more)`);
  for (const option of command.options.filter((one) => one.mandatory)) {
    mandatory.add(option);
    option.mandatory = false;
  }
  for (const below of command.commands) arrange(below, `${name} ${below.name()}`, mandatory);
}

/** `help NAME…` as `NAME… --help`; whatever follows a name that no command has is left out, so that this is what is told. */
function askedFor(program: Command, argv: readonly string[]): string[] {
  const words = argv[0] === 'help' && argv.length > 1 ? [...argv.slice(1), '--help'] : [...argv];
  let command = program;
  for (const [index, word] of words.entries()) {
    if (word.startsWith('-') || word === 'help' || command.commands.length === 0) break;
    const below = command.commands.find((one) => one.name() === word);
    if (below === undefined) return words.slice(0, index + 1);
    command = below;
  }
  return words;
}

function faultText(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return harmless(text.split('\n', 1)[0] ?? '');
}
