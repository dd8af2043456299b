// What all commands share: where they print, how they end, how those find their gateway that talk to one.
import { type Command, InvalidArgumentError } from 'commander';
import type { GatewayAddress, ManagementClient } from '../manage/commands/management-client.ts';
import { exitCodes, harmless, type Terminal, WrongUsage } from '../manage/commands/terminal.ts';

export type Json = { readonly json: boolean };

/** Sets the exit code. */
export type Finish = (code: number) => void;

/** Runs a command against the gateway that its options name. */
export type WithGateway = (
  options: GatewayAddress,
  run: (client: ManagementClient) => Promise<number>,
) => Promise<void>;

export const terminal: Terminal = {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
};

/** Commands that talk to a gateway: one that cannot be found is wrong usage, one that does not answer or refuses a failure. */
export function gatewayRunner(finish: Finish): WithGateway {
  return async (options, run) => {
    const { ManagementFailure, managementClient } = await import('../manage/commands/management-client.ts');
    let client: ManagementClient | undefined;
    try {
      client = managementClient(options);
      finish(await run(client));
    } catch (error) {
      if (!(error instanceof WrongUsage || error instanceof ManagementFailure)) throw error;
      terminal.err(error.message.split('\n').map(harmless).join('\n'));
      finish(error instanceof WrongUsage ? exitCodes.wrongUsage : exitCodes.failed);
    } finally {
      await client?.close();
    }
  };
}

/** The options by which a command finds the gateway, and an example behind its help. */
export function addressed(command: Command, exampleText: string): Command {
  return command
    .option('--config <file>', 'configuration of the gateway; gives URL and token')
    .option('--url <url>', 'URL of its management API')
    .option('--token <token>', 'bearer token of its management API')
    .option('--ca <file>', 'CA of its management listener, PEM')
    .option('--json', 'print JSON', false)
    .addHelpText('after', example(exampleText));
}

/** Help text with an example. */
export function example(text: string): string {
  return `\nExample:\n  $ ${text}`;
}

/** Parses an option that is a whole number above 0. */
export function wholeNumber(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) === 0) throw new InvalidArgumentError('must be a whole number above 0');
  return Number(value);
}

/** Checks an option that is a whole number, and leaves it as written. */
export function wholeNumberText(value: string): string {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('must be a whole number');
  return value;
}

/** Resolves at SIGINT or SIGTERM. */
export function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}
