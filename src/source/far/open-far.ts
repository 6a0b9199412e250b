import { existsSync } from 'node:fs';
import { RegtarError } from '../../errors.ts';
import { isBucketAddress } from '../../s3/address.ts';
import { openHttpsObject } from '../https/https-object.ts';
import type { SingleSource } from '../opened-source.ts';
import type { OpenSourceOptions } from '../options.ts';
import { openCompressed } from '../open-stream.ts';
import { notTar, recogniseForm, recognisedBytes } from '../source-form.ts';
import { openFarObject, type FarObject, type ObjectServer } from './far-object.ts';
import { openFarTar } from './far-tar.ts';

/**
 * Opens a SOURCE that lies elsewhere.
 * @throws RegtarError SOURCE_NOT_FOUND, SOURCE_DENIED, SOURCE_UNREACHABLE, SOURCE_NO_RANGES, and what its form is
 * refused for
 */
export async function openFarSource(operand: string, options: OpenSourceOptions): Promise<SingleSource> {
  if (isBucketAddress(operand))
    return (await import('../s3/open-s3-source.ts')).openS3Source(operand, options, openServed);
  return openServed(openHttpsObject(operand, options.far ?? {}, options.signal), options);
}

async function openServed(server: ObjectServer, options: OpenSourceOptions): Promise<SingleSource> {
  try {
    const object = await openFarObject(server, recognisedBytes, options.signal);
    const form = recogniseForm(object.start, object.describe);
    if (form === 'unknown') throw notTar(object.describe);
    if (form === 'tar') return await openIndexed(object, options);
    refuseIndex(object.describe, options);
    return await openCompressed(
      {
        chunks: object.read(0, object.size),
        form,
        describe: object.describe,
        bytes: object.size,
        release: () => void object.close(),
      },
      options,
    );
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** With an index in a file here, where one is named: nothing can lie beside the tar. */
async function openIndexed(object: FarObject, options: OpenSourceOptions): Promise<SingleSource> {
  const backup = await openWithIndex(object, options);
  return { ...backup, version: object.version };
}

async function openWithIndex(object: FarObject, options: OpenSourceOptions): Promise<SingleSource> {
  const { indexFile, recordIndex = false, onNotice } = options;
  const { describe } = object;
  if (indexFile === undefined) {
    if (!recordIndex) return openFarTar(object);
    throw new RegtarError('USAGE', `the index of ${describe} cannot lie beside it`, {
      hint: 'say where to put it: --index-file FILE',
    });
  }
  const { createIndexWriter, openSavedIndex } = await import('../saved-index.ts');
  const tar = {
    size: object.size,
    modified: 0,
    // Every part that is read is of the version that was opened.
    changed: () => false,
    sample: () => `${describe} ${object.version ?? ''}`,
  };
  if (recordIndex) return openFarTar(object, { indexWriter: createIndexWriter(indexFile, tar) });
  if (object.version === undefined) onNotice?.(`INDEX_STALE: the server does not tell versions of ${describe} apart`);
  const index = object.version === undefined ? undefined : openSavedIndex(indexFile, tar);
  if (index !== undefined && 'replay' in index) return openFarTar(object, { index });
  if (index !== undefined) onNotice?.(`INDEX_STALE: ${indexFile} is not used, ${index.stale}; ${describe} is scanned`);
  else if (!existsSync(indexFile)) onNotice?.(`INDEX_STALE: ${indexFile} does not exist; ${describe} is scanned`);
  return openFarTar(object);
}

function refuseIndex(describe: string, options: OpenSourceOptions): void {
  if (options.indexFile === undefined && options.recordIndex !== true) return;
  throw new RegtarError('USAGE', `${describe}, which is compressed, cannot have an index`, {
    hint: 'leave the index out, or store the tar uncompressed',
  });
}
