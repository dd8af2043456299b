// `mcgw engine`: the SIP engine alone, for a gateway in another process that has the same `sip.engine.drachtio`.
import { problemLine } from '../config/load.ts';
import { exitCodes, type Terminal } from '../manage/commands/terminal.ts';
import { prepare } from '../manage/prepare.ts';
import { startEngine } from '../sip/engine/engine.ts';
import { releaseMemoryWhenQuiet } from '../sip/engine/idle-memory.ts';
import { sipUri } from '../sip/sip-face.ts';
import { engineOptions } from './sip-engine.ts';
import { controlTls } from './tls-files.ts';

/**
 * Runs the engine until it is stopped; prints `ready control=HOST:PORT sip=URI,…` once it listens. Resolves to the exit code.
 * @param stopped resolves when the engine is to end
 */
export async function runEngine(file: string, terminal: Terminal, stopped: Promise<unknown>): Promise<number> {
  const { prepared, problems } = await prepare(file, Date.now());
  for (const problem of problems) terminal.err(problemLine(problem));
  if (prepared === undefined) return exitCodes.wrongUsage;
  const { configuration, files } = prepared;
  const { sip } = configuration;
  if (sip === undefined || sip.engine === 'embedded') {
    terminal.err(
      `${file}:1: sip.engine: must be { drachtio: { host, port, secret } }, where the engine is to be reached`,
    );
    return exitCodes.wrongUsage;
  }
  let engine: Awaited<ReturnType<typeof startEngine>>;
  try {
    const { host, port, secret } = sip.engine.drachtio;
    const control = { host, port, secret, tls: controlTls(configuration, files) };
    engine = await startEngine({ ...engineOptions(configuration, sip, files), control });
  } catch (error) {
    terminal.err(`the engine cannot start: ${error instanceof Error ? error.message : String(error)}`);
    return exitCodes.failed;
  }
  const stopReleasing = releaseMemoryWhenQuiet();
  const { host, port } = engine.control;
  const control = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  terminal.out(`ready control=${control} sip=${engine.listening.map(sipUri).join(',')}`);
  await stopped;
  stopReleasing();
  await engine.close();
  return exitCodes.done;
}
