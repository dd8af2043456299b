// The command line of mcgw: parses arguments and calls one function per command; the commands are described in main/.
// Commands are imported when they are called, so that `--help` and the small ones start fast.
import { Command, CommanderError } from 'commander';
import { gatewayVersion } from './gateway/version.ts';
import { addAuditCommands } from './main/audit-commands.ts';
import { type Finish, gatewayRunner } from './main/command-line.ts';
import { addDeliveryCommands } from './main/delivery-commands.ts';
import { addGroupCommands } from './main/group-commands.ts';
import { addLocalCommands } from './main/local-commands.ts';
import { addOverlayCommands } from './main/overlay-commands.ts';
import { addPartnerCommands } from './main/partner-commands.ts';
import { addPolicyCommands } from './main/policy-commands.ts';
import { exitCodes } from './manage/commands/terminal.ts';

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

function commandLine(finish: Finish): Command {
  const program = new Command('mcgw');
  program
    .description(
      'Group management server face of a mission-critical system towards other systems (TS 23.280 clause 10.2.7)',
    )
    .version(gatewayVersion(), '--version', 'print the version')
    .exitOverride()
    .showHelpAfterError('(mcgw COMMAND --help tells more)')
    .configureHelp({ showGlobalOptions: true });

  const withGateway = gatewayRunner(finish);
  addLocalCommands(program, finish);
  addPolicyCommands(program, withGateway, finish);
  addAuditCommands(program, withGateway, finish);
  addOverlayCommands(program, withGateway);
  addGroupCommands(program, withGateway);
  addPartnerCommands(program, withGateway);
  addDeliveryCommands(program, withGateway);
  return program;
}
