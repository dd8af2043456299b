// `mcgw serve`: one gateway from its configuration until a signal, or until something breaks.
// Standard output carries one line, when all faces accept; everything else is logged as JSON lines on standard error.
import { destination, type Logger, pino } from 'pino';
import { problemLine } from '../../config/load.ts';
import type { Configuration } from '../../config/schema.ts';
import { type Prepared, prepare } from '../prepare.ts';
import {
  drainTime,
  type GatewayUrls,
  type RunningGateway,
  type StartGateway,
  StartProblem,
} from '../running-gateway.ts';
import { exitCodes, type Terminal } from './terminal.ts';

/** What is still open after that is left behind, milliseconds. */
const patience = drainTime + 5_000;

/** Runs the gateway configured in `file`; resolves to the exit code after it was stopped. */
export async function serve(file: string, start: StartGateway, terminal: Terminal): Promise<number> {
  const { prepared, problems } = await prepare(file, Date.now());
  for (const problem of problems) terminal.err(problemLine(problem));
  if (prepared === undefined) return exitCodes.wrongUsage;
  const { configuration } = prepared;
  const log = logger(configuration);
  // a reader of the one line may be gone by now
  process.stdout.on('error', () => undefined);
  // before anybody can know that there is something to stop
  const signal = stopSignal();
  let gateway: RunningGateway;
  try {
    gateway = await start(prepared, log);
  } catch (error) {
    if (error instanceof StartProblem) {
      const detail = log.isLevelEnabled('debug') ? { err: error } : {};
      log.fatal(detail, `the gateway cannot start: ${error.message}`);
    } else log.fatal({ err: error }, 'the gateway cannot start');
    leaveSoon();
    return exitCodes.failed;
  }
  const stopReloading = reloadOnHangup(gateway, file, log);
  terminal.out(readyLine(gateway.urls));
  log.info(gateway.urls, 'ready');
  const code = await untilStopped(gateway, signal, log, stopReloading);
  leaveSoon();
  return code;
}

// Request targets hold identities of users; they are for debugging alone. The level may change while it runs.
function logger({ logging, system }: Configuration): Logger {
  const censor = (target: unknown): unknown => (log.level === 'debug' ? target : undefined);
  const options = { level: logging.level, base: { system: system.name }, redact: { paths: ['target'], censor } };
  const log: Logger = pino(options, destination({ fd: 2, sync: true }));
  return log;
}

/** The line that says where the faces are. */
export function readyLine({ xcap, interconnect, sip, manage }: GatewayUrls): string {
  const faces = { xcap, interconnect, sip: sip.length > 0 ? sip.join(',') : undefined, manage };
  const shown = Object.entries(faces).filter(([, url]) => url !== undefined);
  return `ready ${shown.map(([name, url]) => `${name}=${url}`).join(' ')}`;
}

async function untilStopped(
  gateway: RunningGateway,
  signal: Promise<NodeJS.Signals>,
  log: Logger,
  stopReloading: () => void,
): Promise<number> {
  const fault = new Promise<Error>((resolve) => {
    process.once('uncaughtException', resolve);
    process.once('unhandledRejection', (reason) =>
      resolve(reason instanceof Error ? reason : new Error(String(reason))),
    );
  });
  const end = await Promise.race([
    signal.then((name) => ({ signal: name })),
    fault.then((error) => ({ error })),
    gateway.failed.then((error) => ({ error })),
  ]);
  stopReloading();
  if ('error' in end) log.fatal({ err: end.error }, 'the gateway stops because of a fault');
  else log.info({ signal: end.signal }, 'stopping');
  process.once('SIGTERM', () => process.exit(exitCodes.failed));
  process.once('SIGINT', () => process.exit(exitCodes.failed));
  const closed = await closeWithin(gateway, log);
  log.info({ closed }, 'stopped');
  return 'error' in end || !closed ? exitCodes.failed : exitCodes.done;
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

// Hangups follow each other, so that two quick ones cannot cross.
function reloadOnHangup(gateway: RunningGateway, file: string, log: Logger): () => void {
  let turn: Promise<void> = Promise.resolve();
  const onHangup = (): void => {
    turn = turn.then(() => reload(gateway, file, log));
  };
  process.on('SIGHUP', onHangup);
  return () => process.off('SIGHUP', onHangup);
}

async function reload(gateway: RunningGateway, file: string, log: Logger): Promise<void> {
  try {
    const { prepared, problems } = await prepare(file, Date.now());
    for (const problem of problems) log.warn({ problem: problemLine(problem) }, 'configuration');
    if (prepared === undefined) {
      log.error({ file }, 'not reloaded: the configuration has errors, the one before stays');
      return;
    }
    await takeOver(gateway, prepared, log);
  } catch (error) {
    log.error({ err: error }, 'the reload failed, the configuration before stays');
  }
}

async function takeOver(gateway: RunningGateway, prepared: Prepared, log: Logger): Promise<void> {
  const needRestart = await gateway.reload(prepared);
  if (needRestart.length > 0) log.warn({ keys: needRestart }, 'reloaded, but a change of these keys needs a restart');
  else log.info('reloaded');
}

async function closeWithin(gateway: RunningGateway, log: Logger): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), patience);
  });
  try {
    return await Promise.race([gateway.close().then(() => true), late]);
  } catch (error) {
    log.error({ err: error }, 'closing failed');
    return false;
  } finally {
    clearTimeout(timer);
  }
}

// A handle that some room forgot must not keep a stopped gateway alive.
function leaveSoon(): void {
  setTimeout(() => process.exit(), 1000).unref();
}
