import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const page = fileURLToPath(new URL('../src/report/page/', import.meta.url));
const name = 'regtar:report-page';
const resolved = `\0${name}`;

/** Gives the program the report page's script and style as strings: one bundle, wherever it is carried, needs no file beside it. */
export function reportPage() {
  return {
    name: 'regtar-report-page',
    resolveId: (id) => (id === name ? resolved : undefined),
    load: async (id) => {
      if (id !== resolved) return undefined;
      const { code, bundledModules } = await script();
      return {
        code: `export const style = ${JSON.stringify(style())};\nexport const script = ${JSON.stringify(code)};\n`,
        meta: { bundledModules },
      };
    },
  };
}

function style() {
  return readFileSync(`${page}page.css`, 'utf8')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\s*\n\s*/g, '')
    .replaceAll(/ ?([{};]) ?/g, '$1')
    .trim();
}

async function script() {
  const bundle = await rolldown({ input: `${page}client/main.ts`, platform: 'browser' });
  try {
    const { output } = await bundle.generate({ format: 'iife', minify: true });
    return { code: output[0].code.trim(), bundledModules: Object.keys(output[0].modules) };
  } finally {
    await bundle.close();
  }
}
