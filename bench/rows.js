// @ts-check
import { row as inspect } from './rows/inspect.js';
import { row as scan } from './rows/scan.js';
import { row as exports } from './rows/export.js';
import { row as dockerArchive } from './rows/docker-archive.js';
import { row as push } from './rows/push.js';
import { row as place } from './rows/place.js';
import { row as harbor } from './rows/harbor.js';
import { row as verify } from './rows/verify.js';
import { row as streams } from './rows/streams.js';
import { row as link } from './rows/link.js';
import { row as indexFile } from './rows/index-file.js';
import { row as https } from './rows/https.js';
import { row as s3 } from './rows/s3.js';
import { row as oci } from './rows/oci.js';
import { row as serve } from './rows/serve.js';
import { row as memory } from './rows/memory.js';
import { row as hugeLayer } from './rows/huge-layer.js';
import { row as startUp } from './rows/start-up.js';
import { row as standalone } from './rows/standalone.js';

/** Every row, in the order in which they run. @type {readonly import('./lib/bench.js').Row[]} */
export const rows = [
  startUp,
  standalone,
  inspect,
  scan,
  exports,
  dockerArchive,
  verify,
  streams,
  link,
  indexFile,
  push,
  place,
  harbor,
  https,
  s3,
  oci,
  serve,
  memory,
  hugeLayer,
];
