// Judges documents by compiled schemas; runs in the main thread for small documents and in workers for large ones.

import type { XmlDocument } from 'libxml2-wasm';
import { CompiledSchema, type SchemaProblem, withDocument } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import type { SchemaSource } from './schema-files.ts';
import { checkBytes } from './xml-document.ts';

export class SchemaJudge {
  readonly #sources: ReadonlyMap<string, SchemaSource>;
  readonly #compiled = new Map<string, CompiledSchema>();

  constructor(sources: ReadonlyMap<string, SchemaSource>) {
    this.#sources = sources;
  }

  /** Compiles a schema unless that has been done. Throws Error with the compiler's complaints. */
  prepare(name: string): CompiledSchema {
    let schema = this.#compiled.get(name);
    if (schema === undefined) {
      const source = this.#sources.get(name);
      if (source === undefined) throw new Error(`no schema is called ${name}`);
      schema = CompiledSchema.compile(source.files, source.entry);
      this.#compiled.set(name, schema);
    }
    return schema;
  }

  /**
   * Judges bytes: with limits also as an incoming document. Without a schema name only well-formedness counts.
   * Throws Refusal as readXml does.
   */
  judge(name: string | undefined, bytes: Uint8Array, limits: XmlLimits | undefined): readonly SchemaProblem[] {
    if (limits !== undefined) checkBytes(bytes, limits);
    const schema = name === undefined ? undefined : this.prepare(name);
    return withDocument(bytes, (document) => {
      if (name === undefined || schema === undefined) return [];
      return this.#rootProblem(name, document) ?? schema.problems(document);
    });
  }

  #rootProblem(name: string, document: XmlDocument): readonly SchemaProblem[] | undefined {
    const wanted = this.#sources.get(name)?.root;
    if (wanted === undefined) return undefined;
    const root = document.root;
    if (root.namespaceUri === wanted[0] && root.name === wanted[1]) return undefined;
    return [{ line: root.line, path: '/*', message: `The document element must be {${wanted[0]}}${wanted[1]}` }];
  }

  dispose(): void {
    for (const schema of this.#compiled.values()) schema.dispose();
    this.#compiled.clear();
  }
}
