// `mcgw certificates`: lab CA and certificates of the example systems.
import { FilesExist, writeLabCertificates } from '../../config/lab-certificates.ts';
import { exitCodes, type Terminal } from './terminal.ts';

export interface CertificatesOptions {
  readonly dir: string;
  readonly force: boolean;
  readonly days: number;
}

/** Writes the certificates and names the files; 1 when files are there already or cannot be written. */
export async function certificates({ dir, force, days }: CertificatesOptions, terminal: Terminal): Promise<number> {
  try {
    for (const file of await writeLabCertificates({ folder: dir, force, days, now: Date.now() })) terminal.out(file);
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof FilesExist) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    terminal.err((error as Error).message);
    return exitCodes.failed;
  }
}
