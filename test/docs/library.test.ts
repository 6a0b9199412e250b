import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { regtarDone } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { codeBlocks, project } from './support/documents.ts';

const text = readFileSync(join(project, 'docs/library.md'), 'utf8');

/** Each example with the output that stands below it. */
const examples = codeBlocks(text).flatMap((block, index, all) => {
  const next = all[index + 1];
  return block.language === 'ts'
    ? [{ line: block.line, code: block.code, output: next?.language === 'text' ? next.code : '' }]
    : [];
});

/** Inside the package, so that `regtar` is this package itself, as its `exports` have it. */
const folder = join(project, 'build', `library-examples-${process.pid}`);
const sourceOf = (line: number): string => join(folder, `line-${line}.mts`);

beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyFileSync(fixturePath, join(folder, 'docker.tar'));
  for (const { line, code } of examples) writeFileSync(sourceOf(line), code);
  await regtarDone(['export', 'docker.tar', 'exported', '--report', 'report.json'], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const isPush = ({ code }: { readonly code: string }): boolean => code.includes('openRegistry(');

it('every example has its output below it, and all compile strictly against the types that are shipped', () => {
  expect(examples.length).toBeGreaterThan(5);
  expect(examples.filter(({ output }) => output === '')).toEqual([]);
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    types: ['node'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    verbatimModuleSyntax: true,
    skipLibCheck: true,
  };
  const compiled = ts.createProgram(
    examples.map(({ line }) => sourceOf(line)),
    options,
  );
  const problems = ts.getPreEmitDiagnostics(compiled);
  expect(
    problems.map(
      ({ messageText, file, start }) =>
        `${file?.fileName ?? ''}:${start ?? 0} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    ),
  ).toEqual([]);
  compiled.emit();
});

const outputOf = async (line: number, ...args: string[]): Promise<string> =>
  (await run(process.execPath, [sourceOf(line).replace(/\.mts$/, '.mjs'), ...args], { cwd: folder })).stdout.trimEnd();

describe('every example prints what the page says', () => {
  it.each(examples.filter((each) => !isPush(each)))('line $line', async ({ line, output }) => {
    expect(await outputOf(line)).toBe(output);
  });
});

describeWith('docker-registry', 'the example of a push', () => {
  let registry: Registry;
  beforeAll(async () => void (registry = await startRegistry()));
  afterAll(() => registry.stop());
  it.each(examples.filter(isPush))('line $line', async ({ line, output }) => {
    expect(await outputOf(line, registry.host)).toBe(output);
  });
});

it('everything that the library exports has a docstring', () => {
  const index = join(project, 'src/index.ts');
  const program = ts.createProgram([index, join(project, 'src/report/page/bundled.d.ts')], {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(index);
  const module = source && checker.getSymbolAtLocation(source);
  const names = module === undefined ? [] : checker.getExportsOfModule(module);
  const bare = names.filter((symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return target.getDocumentationComment(checker).length === 0 && target.getJsDocTags(checker).length === 0;
  });
  expect(names.length).toBeGreaterThan(60);
  expect(bare.map(({ name }) => name)).toEqual([]);
});
