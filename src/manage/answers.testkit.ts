// For tests of the management API: holds every answer against the schema that the OpenAPI document gives for it.
import { problem } from './answers.ts';
import { operations } from './operations.ts';

/** What is wrong with a JSON answer below /api/v1, as texts; nothing when it is as documented. */
export function undocumented(method: string, target: string, status: number, json: unknown): readonly string[] {
  const path = target.replace(/\?.*/, '').replace(/^\/api\/v1/, '');
  const operation = operations.find(
    (one) => one.method === method.toLowerCase().replace('head', 'get') && pattern(one.path).test(path),
  );
  const schema = status >= 400 ? problem : operation?.answers.find((answer) => answer.status === status)?.schema;
  if (schema === undefined) return [`${method} ${path} answered ${status}, which is not documented`];
  const parsed = schema.safeParse(json);
  return parsed.success ? [] : parsed.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`);
}

function pattern(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`);
}
