import { openOciArchiveSink } from '../../src/formats/oci/archive.ts';
import { readLayoutArchive } from '../support/read-layout.ts';
import { describeSink } from './suite.ts';

describeSink({
  title: 'oci-archive',
  open: openOciArchiveSink,
  out: 'file',
  perImage: false,
  read: async (out) =>
    Object.fromEntries(
      (await readLayoutArchive(out)).entries.map(({ digest, annotations = {} }) => [
        annotations['org.opencontainers.image.ref.name'] ?? annotations['vnd.regtar.image.name'] ?? '',
        digest,
      ]),
    ),
});
