// @ts-check
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openRandomAccess } from '../../src/io/random-access.ts';
import { openTarFile } from '../../src/source/tar-file.ts';

// What the `scan` row runs, bundled with the sources it imports: the scan into the catalog, without reading manifests.
const file = process.argv[2] ?? '';
const started = performance.now();
const backup = openTarFile(openRandomAccess(file), file);
await readCatalog(backup);
console.log((performance.now() - started) / 1000);
await backup.close();
