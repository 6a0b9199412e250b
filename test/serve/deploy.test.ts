import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { makeSelfSigned } from '../../src/serve/tls/certificate.ts';
import { project } from '../docs/support/documents.ts';
import { parseCommandLine } from '../docs/support/parse-command-line.ts';
import { fixturePath } from '../support/fixture.ts';
import { listRegistry } from '../support/read-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startServe } from './support/start-serve.ts';

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string; readonly scheme: string };
}

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly startupProbe: Probe;
          readonly readinessProbe: Probe;
          readonly livenessProbe: Probe;
          readonly volumeMounts: readonly { readonly name: string; readonly readOnly?: boolean }[];
        }[];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

const folder = temporaryFolder();
afterAll(() => folder.remove());

it('deploy/serve.yaml serves what nobody can write, and its probes find it', async () => {
  const [deployment] = parseAllDocuments(readFileSync(join(project, 'deploy/serve.yaml'), 'utf8')).map(
    (document) => document.toJS() as Deployment,
  );
  const { containers, volumes } = deployment?.spec.template.spec ?? { containers: [], volumes: [] };
  const [container] = containers;
  expect(await parseCommandLine(container?.args ?? [])).toBeUndefined();
  expect(container?.volumeMounts.map(({ readOnly }) => readOnly)).toEqual([true, true]);
  expect(container?.volumeMounts.map(({ name }) => name)).toEqual(volumes.map(({ name }) => name));
  const { certificate, key } = makeSelfSigned(['localhost']);
  writeFileSync(folder.file('tls.crt'), certificate);
  writeFileSync(folder.file('tls.key'), key);
  const args = (container?.args ?? [])
    .slice(1)
    .map((arg) => arg.replace('/backup/docker.tar', fixturePath).replace('/tls', folder.path).replace(':5000', ':0'));
  const served = await startServe([
    '--listen',
    ...args.splice(1, 1).map((arg) => arg.slice('--listen='.length)),
    ...args,
  ]);
  onTestFinished(() => served.process.stop());
  const url = `https://127.0.0.1:${served.host.split(':').at(-1)}`;
  expect((await listRegistry({ url })).length).toBeGreaterThan(10);
  for (const probe of [container?.startupProbe, container?.readinessProbe, container?.livenessProbe])
    expect(probe?.httpGet).toEqual({ path: '/v2/', port: 'registry', scheme: 'HTTPS' });
});
