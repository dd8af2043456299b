// A process that commits in a loop and tells each acknowledged commit on standard output; tests kill it or starve its disk.
// Arguments: the file, then how many bytes each document has.

import { Buffer } from 'node:buffer';
import { openSqliteStore } from './sqlite-store.ts';

const [file = '', size = '1000'] = process.argv.slice(2);

async function main(): Promise<void> {
  const store = await openSqliteStore(file);
  const start = (await store.journal()).length;
  process.stdout.write(`open ${start}\n`);
  const bytes = Buffer.alloc(Number(size), 'x');
  const write = async (lane: number): Promise<void> => {
    for (let number = 0; ; number++) {
      const name = `${start}-${lane}-${number}`;
      const key = { auid: 'a', tree: 'users', xui: 'sip:w@red.example', name } as const;
      const at = new Date().toISOString();
      await store.commit({
        documents: [{ write: 'put', document: { key, tag: name, bytes }, expected: null }],
        journal: [{ at, actor: 'writer', action: 'document-put', subject: name }],
      });
      process.stdout.write(`acknowledged ${name}\n`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, lane) => write(lane)));
}

main().catch((error: unknown) => {
  process.stdout.write(`error ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}\n`);
  process.exitCode = 3;
});
