// `node test/sipp/write.ts`: writes the scenarios to NAME.xml and their table into README.md.
import { readFile, writeFile } from 'node:fs/promises';
import { files } from './files.ts';

for (const [name, text] of await files(readme())) await writeFile(new URL(name, import.meta.url), text);

function readme(): Promise<string> {
  return readFile(new URL('README.md', import.meta.url), 'utf8');
}
