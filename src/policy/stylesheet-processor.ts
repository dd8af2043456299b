// Keeps saxon-js, the optional package that runs stylesheets: loads it when the first stylesheet comes, compiles, runs. Only worker
// threads come here. Whatever a check may have missed finds no files: the processor's ways to them are cut.
import type { CompiledStylesheet } from './policy-resources.ts';
import { programProblems, sourceProblems } from './stylesheet-check.ts';

/** What is used of the package. */
interface Saxon {
  readonly XPath: {
    evaluate(
      expression: string,
      context: null,
      options: { readonly params: Readonly<Record<string, unknown>> },
    ): unknown;
  };
  internalTransform: (program: unknown, input: unknown, options: unknown) => unknown;
  getPlatform(): Record<string, unknown> & { resource(name: string): unknown };
}

/** The command that makes stylesheets available. */
export const installCommand = 'npm install saxon-js@2.7.0';

export class StylesheetProcessor {
  readonly #saxon: Saxon;

  private constructor(saxon: Saxon) {
    this.#saxon = saxon;
  }

  /** Loads the package by its name; undefined when it is not installed. */
  static async load(packageName: string): Promise<StylesheetProcessor | undefined> {
    let module: { readonly default: unknown };
    try {
      module = (await import(packageName)) as { readonly default: unknown };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
      throw error;
    }
    const saxon = module.default as Saxon;
    const platform = saxon.getPlatform();
    const cut = (): never => {
      throw new Error('a stylesheet sees nothing but its input');
    };
    for (const way of ['readFile', 'writeFileSync', 'writeFileAsync', 'resourcePromise', 'makeHttpRequest']) {
      platform[way] = cut;
    }
    // What a stylesheet says with xsl:message is no line of our log.
    platform.saxonPrint = () => undefined;
    platform.getDefaultDeliverMessage = () => () => undefined;
    return new StylesheetProcessor(saxon);
  }

  /** Checks and compiles the text of a stylesheet. */
  compile(text: string): CompiledStylesheet {
    const refused = sourceProblems(text);
    if (refused.length > 0) return { problems: refused };
    let compiled: unknown;
    try {
      compiled = this.#compiled(text);
    } catch (error) {
      return { problems: [{ text: `cannot be compiled: ${firstLine(error)}` }] };
    }
    const reaching = programProblems(compiled, text);
    if (reaching.length > 0) return { problems: reaching };
    return { program: JSON.stringify(compiled, (key, value: unknown) => (key === 'parentNode' ? undefined : value)) };
  }

  /** The result of a program, serialised. Throws Error with what the stylesheet or the processor says. */
  run(program: string, input: string, parameters: Readonly<Record<string, string>>): string {
    const names = Object.keys(parameters);
    const given = names.map((name) => `QName('', '${name}'): $${name}`).join(', ');
    const result = this.#saxon.XPath.evaluate(
      `transform(map { 'package-text': $program, 'source-node': parse-xml($input), 'delivery-format': 'serialized',
        'stylesheet-params': map { ${given} } })?output`,
      null,
      { params: { ...parameters, program, input } },
    );
    return typeof result === 'string' ? result : '';
  }

  // The package compiles inside of fn:transform() only: the program is taken where it would be run.
  #compiled(text: string): unknown {
    const saxon = this.#saxon;
    const { internalTransform } = saxon;
    const compiler = saxon.getPlatform().resource('compiler');
    const taken = new Error('the program has been taken');
    let program: unknown;
    saxon.internalTransform = (given, input, options) => {
      if (given === compiler) return internalTransform.call(saxon, given, input, options);
      program = given;
      throw taken;
    };
    try {
      saxon.XPath.evaluate("transform(map { 'stylesheet-text': $text, 'source-node': parse-xml('<none/>') })", null, {
        params: { text },
      });
    } catch (error) {
      if (program === undefined) throw error;
    } finally {
      saxon.internalTransform = internalTransform;
    }
    if (program === undefined) throw new Error('the processor gave no program');
    return program;
  }
}

/** What an error of the processor says, without the places in its own sources. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split('\n')[0] ?? '').replaceAll('NoStylesheetBaseURI', 'the stylesheet').slice(0, 300);
}
