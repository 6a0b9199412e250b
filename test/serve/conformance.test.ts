import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGraphReader } from '../../src/content/image-graph.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { openSource } from '../../src/source/open-source.ts';
import { describeWith, peerCommand } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startRegistry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startServe, type Served } from './support/start-serve.ts';

/** What the suite asks of a registry that nobody can push to. @see distribution-spec, conformance/README.md */
interface Pushed {
  readonly tags: readonly string[];
  readonly manifests: readonly string[];
  readonly blobs: readonly string[];
  readonly subjects: readonly string[];
}

interface Outcome {
  readonly failed: readonly string[];
  readonly passed: number;
}

const repository = 'conformance/repo1';

describeWith(['conformance', 'distribution'], 'the conformance suite of distribution-spec', () => {
  const folder = temporaryFolder();
  const backup = folder.file('docker.tar');
  let pushed: Pushed;
  let served: Served;

  beforeAll(async () => {
    const registry = await startRegistry({ software: 'distribution' });
    await runSuite(registry.host, folder.file('push'), {});
    await registry.process.stop();
    await run('tar', ['-cpf', backup, '-C', registry.storage, 'docker']);
    await registry.stop();
    pushed = await whatWasPushed(backup);
    served = await startServe([backup]);
  });
  afterAll(async () => {
    await served.process.stop();
    folder.remove();
  });

  it('has pushed much to the registry that the backup is of', () => {
    expect(pushed.tags.length).toBeGreaterThan(5);
    expect(pushed.manifests.length).toBeGreaterThan(pushed.tags.length);
    expect(pushed.blobs.length).toBeGreaterThan(10);
    expect(pushed.subjects.length).toBeGreaterThan(0);
  });

  it('finds no fault with any of it', async () => {
    const { failed, passed } = await runSuite(served.host, folder.file('pull'), {
      OCI_API_PUSH: 'false',
      // Of manifests whose bytes it does not know the suite looks at no header.
      OCI_API_BLOBS_DIGEST_HEADER: 'true',
      OCI_RO_DATA_TAGS: pushed.tags.join(' '),
      OCI_RO_DATA_MANIFESTS: pushed.manifests.join(' '),
      OCI_RO_DATA_BLOBS: pushed.blobs.join(' '),
      OCI_RO_DATA_REFERRERS: pushed.subjects.join(' '),
    });
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThan(pushed.manifests.length + pushed.blobs.length);
  });
});

/**
 * Runs the suite; what cannot be deleted is not asked to be. Its report on standard output counts: the one that it would write after a
 * read-only run breaks off (run.go, ReportResultsYAML).
 */
async function runSuite(host: string, results: string, env: Readonly<Record<string, string>>): Promise<Outcome> {
  const { stdout, stderr } = await run(peerCommand('conformance'), [], {
    allowFailure: true,
    env: {
      OCI_REGISTRY: host,
      OCI_TLS: 'disabled',
      OCI_REPO1: repository,
      OCI_REPO2: 'conformance/repo2',
      OCI_VERSION: '1.1',
      OCI_RESULTS_DIR: results,
      OCI_LOG: 'error',
      OCI_API_BLOBS_DELETE: 'false',
      OCI_API_MANIFESTS_DELETE: 'false',
      OCI_API_TAGS_DELETE: 'false',
      ...env,
    },
  });
  const report = /^Test results\n([\s\S]*?)\n\nConfiguration:/.exec(stdout)?.[1];
  if (report === undefined) throw new Error(`the suite broke off\n${stderr.slice(-3000)}`);
  const counted = (status: string): number => Number(new RegExp(`^  ${status}\\.+: +(\\d+)$`, 'm').exec(stdout)?.[1]);
  const failed = report.split('\n').filter((line) => /: (?:FAIL|Error|Unknown)$|^ *- /.test(line));
  expect(failed.length > 0).toBe(counted('FAIL') + counted('Error') > 0);
  return { failed, passed: counted('Pass') };
}

async function whatWasPushed(path: string): Promise<Pushed> {
  const backup = await openSource([path]);
  try {
    const catalog = await readCatalog(backup);
    const graph = createGraphReader(openContentStore(backup, catalog));
    const manifests = [...catalog.revisions(repository)];
    return {
      tags: [...catalog.tags(repository)].map(({ tag }) => tag),
      manifests,
      blobs: [...catalog.layers(repository)],
      subjects: [...new Set(manifests.flatMap((digest) => graph.read(digest).subject?.digest ?? []))],
    };
  } finally {
    await backup.close();
  }
}
