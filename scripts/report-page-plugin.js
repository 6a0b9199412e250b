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
    load: async (id) => (id === resolved ? `export const style = ${JSON.stringify(style())};\nexport const script = ${JSON.stringify(await script())};\n` : undefined),
  };
}

function style() {
  return readFileSync(`${page}page.css`, 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\s*\n\s*/g, '').replaceAll(/ ?([{};]) ?/g, '$1').trim();
}

async function script() {
  const bundle = await rolldown({ input: `${page}client/main.ts`, platform: 'browser' });
  try {
    const { output } = await bundle.generate({ format: 'iife', minify: true });
    return output[0].code.trim();
  } finally {
    await bundle.close();
  }
}
