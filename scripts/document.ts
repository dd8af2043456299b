// Writes docs/CONFIGURATION.md from the configuration schema.
import { writeFileSync } from 'node:fs';
import { configurationDocument } from '../src/config/document.ts';

writeFileSync(new URL('../docs/CONFIGURATION.md', import.meta.url), configurationDocument());
