import { RegtarError } from '../errors.ts';
import { createTurns } from '../io/per-key.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { judgeBlob } from '../remote/blobs.ts';
import type { Registry } from '../remote/registry.ts';
import type { BlobPlaces } from './blob-places.ts';

/**
 * Brings back what a target has lost, through its API. A HEAD proves nothing there: Harbor answers it from its
 * database, and Distribution from what its file system says of a name. So the last byte is asked for, and only what is
 * absent is sent: a registry keeps a short file that is there and answers 201 all the same.
 */
export function createRepairedLayers(registry: Registry, api: BlobPlaces): BlobPlaces {
  const turns = createTurns<string>();
  const judge = async (blob: Descriptor, repository: string, signal: AbortSignal | undefined): Promise<boolean> => {
    const found = await judgeBlob(registry, repository, blob, { signal });
    if (found === 'damaged') throw damaged(registry, repository, blob);
    return found === 'whole';
  };
  return {
    ...api,
    put: (blob, repository, open, write) =>
      turns.run(`${repository}@${blob.digest}`, async () => {
        if (await judge(blob, repository, write.signal)) return 'present';
        await api.upload(blob, repository, open, write);
        if (await judge(blob, repository, write.signal)) return 'written';
        throw damaged(registry, repository, blob);
      }),
  };
}

function damaged({ host }: Registry, repository: string, { digest, size }: Descriptor): RegtarError {
  return new RegtarError(
    'TARGET_BLOB_DAMAGED',
    `blob ${digest} in ${repository} of ${host} is damaged: it has fewer than ${size} bytes`,
    {
      where: { repository, digest },
      hint: "no upload replaces it; --repair with --storage, where the registry's storage is mounted, does",
    },
  );
}
