// `npm run build`: compiles src/ to an empty dist/.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder, run } from './run.ts';

rmSync(join(projectFolder, 'dist'), { recursive: true, force: true });
process.exitCode = await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
