import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import type { Report } from '../../src/report/report.ts';
import { regtar } from '../e2e/support/regtar.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { listRegistry } from '../support/read-registry.ts';
import { startRegistry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { project } from './support/documents.ts';
import { parseCommandLine } from './support/parse-command-line.ts';

interface Job {
  readonly spec: {
    readonly completions: number;
    readonly parallelism: number;
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly volumeMounts: readonly { readonly name: string; readonly readOnly?: boolean }[];
        }[];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

const folder = temporaryFolder();
afterAll(() => folder.remove());

const job = parse(readFileSync(join(project, 'deploy/indexed-job.yaml'), 'utf8')) as Job;
const [container] = job.spec.template.spec.containers;
const args = container?.args ?? [];

describe('deploy/indexed-job.yaml', () => {
  it('starts a command that regtar takes, as many pods as shards, over a backup that nobody can write', async () => {
    expect(await parseCommandLine(args)).toBeUndefined();
    expect(args).toContain(`--shard=${job.spec.completions}`);
    expect(job.spec.parallelism).toBe(job.spec.completions);
    expect(container?.volumeMounts.find(({ name }) => name === 'backup')?.readOnly).toBe(true);
    expect(container?.volumeMounts.map(({ name }) => name).sort()).toEqual(
      job.spec.template.spec.volumes.map(({ name }) => name).sort(),
    );
  });
});

describeWith('docker-registry', 'the pods of deploy/indexed-job.yaml', () => {
  it('push the whole backup together when each gets only its index', async () => {
    const account = { username: 'robot', password: 'S3cret' };
    const registry = await startRegistry({ htpasswd: account });
    onTestFinished(() => registry.stop());
    writeFileSync(
      folder.file('auth.json'),
      JSON.stringify({
        auths: { [registry.host]: { auth: Buffer.from(`${account.username}:${account.password}`).toString('base64') } },
      }),
    );
    const argsOf = (index: number): string[] =>
      args.map((arg) =>
        arg
          .replace('harbor.example.com', registry.host)
          .replace('/backup/docker.tar', fixturePath)
          .replace('/credentials/.dockerconfigjson', folder.file('auth.json'))
          .replace('/reports', folder.path)
          .replaceAll('$(JOB_COMPLETION_INDEX)', String(index)),
      );
    const indexes = Array.from({ length: job.spec.completions }, (_, index) => index);
    const pods = await Promise.all(
      indexes.map((index) => regtar(argsOf(index), { env: { JOB_COMPLETION_INDEX: String(index) } })),
    );
    expect(pods.map(({ code, stderr }) => [code, /regtar: /.exec(stderr)?.[0]])).toEqual(
      indexes.map(() => [0, undefined]),
    );
    const arrived = (await listRegistry({ url: registry.url, ...account })).map(
      ({ repository, tag, digest }) => `${repository}:${tag} ${digest}`,
    );
    for (const { repository, tag, digest } of expected.tags)
      expect(arrived).toContain(`migrated/${repository}:${tag} ${digest}`);
    const merged = await regtar(['report', 'merge', ...indexes.map((index) => folder.file(`shard-${index}.json`))]);
    expect(merged.code).toBe(0);
    expect((JSON.parse(merged.stdout) as Report).totals.images.copied).toBe(expected.tags.length + 1);
  });
});
