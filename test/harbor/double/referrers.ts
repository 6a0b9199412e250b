import { send, Refusal } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { isDigest } from './paths.ts';
import { repositoryOf } from './world.ts';

const indexType = 'application/vnd.oci.image.index.v1+json';

/** `GET …/referrers/<digest>`: what names this digest as its subject, whether or not the subject is there. */
export function serveReferrers(exchange: Exchange, name: string, digest: string): void {
  if (!isDigest(digest))
    throw new Refusal(400, 'BAD_REQUEST', `unsupported digest ${digest}: invalid checksum digest format`);
  const referrers = [...(repositoryOf(exchange.world, name)?.artifacts.values() ?? [])].filter(
    (artifact) => artifact.subject === digest,
  );
  const wanted = exchange.query.get('artifactType');
  const manifests = referrers
    .filter((artifact) => wanted === null || artifact.artifactType === wanted)
    .map((artifact) => ({
      mediaType: artifact.manifestMediaType,
      digest: artifact.digest,
      size: artifact.manifestSize,
      ...(artifact.annotations === undefined ? {} : { annotations: artifact.annotations }),
      artifactType: artifact.artifactType,
    }));
  send(exchange.response, 200, JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }), {
    'Content-Type': indexType,
    // The total counts what there was before the filter.
    'X-Total-Count': String(referrers.length),
    ...(wanted === null ? {} : { 'Oci-Filters-Applied': 'artifactType' }),
  });
}
