// The OpenAPI 3.1 document of the management API, made from the table of operations and the refusals' own phrases.
import { z } from 'zod';
import { Refusal, type RefusalCode } from '../refusals.ts';
import { problem } from './answers.ts';
import { type Operation, operations } from './operations.ts';

const groupMediaType = 'application/vnd.oma.poc.groups+xml';

/** What any operation may be refused with. */
const everywhere: readonly RefusalCode[] = [
  'bad-request',
  'credentials-required',
  'token-invalid',
  'method-not-allowed',
  'forbidden',
];

/** The document for this version of the gateway; relative to the address it is read from. */
export function openApiDocument(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const path = paths[operation.path] ?? {};
    paths[operation.path] = { ...path, [operation.method]: operationObject(operation) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'MC Group Gateway management API',
      version,
      description: 'Groups, partners, deliveries and subscriptions of one group management server.',
    },
    servers: [{ url: '/api/v1' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: '`manage.token` of the configuration' },
      },
      schemas: { Problem: jsonSchema(problem) },
    },
  };
}

function operationObject(operation: Operation): object {
  const { id, summary, body, orDocument } = operation;
  const answered = operation.answers.map(({ status, description, schema }): [string, object] => [
    String(status),
    {
      description,
      content: {
        'application/json': { schema: jsonSchema(schema) },
        ...(orDocument === undefined ? {} : { [groupMediaType]: {} }),
      },
    },
  ]);
  const content =
    body === 'group document'
      ? { [groupMediaType]: {}, 'application/xml': {} }
      : body === undefined
        ? undefined
        : { 'application/json': { schema: jsonSchema(body) } };
  return {
    operationId: id,
    summary,
    parameters: parameters(operation),
    ...(content === undefined ? {} : { requestBody: { required: isRequired(body), content } }),
    responses: {
      ...Object.fromEntries(answered),
      ...refused([...everywhere, ...ofBody(body), ...(operation.refusals ?? [])]),
    },
  };
}

function isRequired(body: Operation['body']): boolean {
  return body === 'group document' || body?.safeParse({}).success !== true;
}

// Group documents have these in their rows of the table
function ofBody(body: Operation['body']): readonly RefusalCode[] {
  return body === undefined || body === 'group document' ? [] : ['document-too-large', 'unsupported-media-type'];
}

function parameters({ path, query = {}, conditional }: Operation): readonly object[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: name === 'groupId' ? 'group ID, percent-encoded' : 'name of the partner in the configuration',
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(query).map(([name, { description, schema }]) => ({
    name,
    in: 'query',
    description,
    schema: jsonSchema(schema),
  }));
  const preconditions = conditional === undefined ? [] : ['If-Match', 'If-None-Match'];
  const inHeader = preconditions.map((name) => ({
    name,
    in: 'header',
    description: 'RFC 9110 clause 13.1',
    schema: { type: 'string' },
  }));
  return [...inPath, ...inQuery, ...inHeader];
}

/** One response for each status, naming the codes that it stands for. */
function refused(codes: readonly RefusalCode[]): Readonly<Record<string, object>> {
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const { row, phrase } = new Refusal(code);
    byStatus.set(row.status, [...(byStatus.get(row.status) ?? []), `\`${code}\`: ${phrase}`]);
  }
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return Object.fromEntries(
    [...byStatus].map(([status, texts]) => [String(status), { description: texts.join('; '), content }]),
  );
}

// OpenAPI 3.1 schemas are JSON Schema 2020-12; the dialect is told by the document, not by each of them.
function jsonSchema(schema: z.ZodType): object {
  const { $schema: _dialect, ...told } = z.toJSONSchema(schema, { io: 'input' });
  return told;
}
