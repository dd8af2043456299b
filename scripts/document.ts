// Writes docs/CONFIGURATION.md from the configuration schema, and schemas/policy.schema.json from that of policy files.
import { writeFileSync } from 'node:fs';
import { configurationDocument } from '../src/config/document.ts';
import { policyJsonSchema } from '../src/policy/policy-json-schema.ts';

writeFileSync(new URL('../docs/CONFIGURATION.md', import.meta.url), configurationDocument());
writeFileSync(new URL('../schemas/policy.schema.json', import.meta.url), policyJsonSchema());
