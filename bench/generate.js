// @ts-check
import { parseArgs } from 'node:util';
import { generateBackup } from './backup/generate-backup.js';
import { presets, withUsual } from './backup/parameters.js';

// node bench/generate.js scale | node bench/generate.js --images 200 --bytes 50000000 --seed 7
const numbers = /** @type {const} */ ([
  'images',
  'repositories',
  'bytes',
  'baseImages',
  'baseLayers',
  'sharedRatio',
  'ownLayers',
  'multiArchRatio',
  'ociRatio',
  'largestLayer',
  'smallestLayer',
  'holeBytes',
  'seed',
]);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: Object.fromEntries(
    ['folder', 'name', ...numbers].map((name) => [name, { type: /** @type {const} */ ('string') }]),
  ),
});
const [preset] = positionals;
const known = Object.keys(presets);
if (preset !== undefined && !known.includes(preset)) {
  console.error(`no preset is called ${preset}; there are ${known.join(', ')}`);
  process.exit(2);
}
const given = Object.fromEntries(
  numbers.filter((name) => values[name] !== undefined).map((name) => [name, Number(values[name])]),
);
const base =
  preset === undefined ? withUsual({ name: 'custom' }) : presets[/** @type {keyof typeof presets} */ (preset)];
const folder = values['folder'];
const made = generateBackup(
  { ...base, ...given, ...(typeof values['name'] === 'string' && { name: values['name'] }) },
  typeof folder === 'string' ? folder : undefined,
);
console.log(JSON.stringify(made, undefined, 2));
