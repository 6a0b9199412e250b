import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { regtarDone } from '../e2e/support/regtar.ts';
import { nameOf, type CopyReport } from '../e2e/support/reports.ts';
import { fixturePath } from '../support/fixture.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** A format, and what makes one of its images visible. */
const formats = [
  { format: 'oci', visible: 'index.json', lost: 'all' },
  { format: 'dir', visible: 'base:1', lost: 'base:1' },
  { format: 'registry', visible: 'docker/registry/v2/repositories/base/_manifests/tags/1', lost: 'base:1' },
] as const;

describe.each(formats)('a second export as $format', ({ format, visible, lost }) => {
  const out = folder.file(format);
  const exported = async (): Promise<CopyReport['images']> =>
    (JSON.parse((await regtarDone(['export', fixturePath, out, '--format', format, '--json'])).stdout) as CopyReport)
      .images;

  it('says that everything is present, and what was lost is written again', async () => {
    const first = await exported();
    expect(first.map(({ status }) => status)).toEqual(first.map(() => 'copied'));
    expect((await exported()).map(({ status }) => status)).toEqual(first.map(() => 'present'));

    rmSync(join(out, visible), { recursive: true });
    const written = (await exported()).filter(({ status }) => status === 'copied').map(nameOf);
    expect(written).toEqual(lost === 'all' ? first.map(nameOf) : [lost]);
    expect((await exported()).map(({ status }) => status)).toEqual(first.map(() => 'present'));
  });

  it('says so in its last line', async () => {
    expect((await regtarDone(['export', fixturePath, out, '--format', format])).stderr).toMatch(
      /^17 images \(17 present\): 0 B written, /m,
    );
  });
});
