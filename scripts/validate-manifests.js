// @ts-check
// Validates deploy/*.yaml and the manifests in docs/*.md against Kubernetes' published schemas with kubernetes-validate, which carries them:
// nothing is asked of a cluster.
// It comes from PyPI into a folder that goes again.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const validator = 'kubernetes-validate==1.37.0';
/** The oldest on which the fields are stable, and the newest that the validator knows. */
const versions = ['1.33.0', '1.37.0'];

const deploy = fileURLToPath(new URL('../deploy/', import.meta.url));
const manifests = readdirSync(deploy)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => join(deploy, name));
const docs = fileURLToPath(new URL('../docs/', import.meta.url));
const environment = mkdtempSync(join(tmpdir(), 'regtar-manifests-'));
try {
  manifests.push(...fromDocuments());
  run('python3', ['-m', 'venv', environment]);
  run(join(environment, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', validator]);
  for (const version of versions)
    run(join(environment, 'bin/kubernetes-validate'), ['--strict', '--kubernetes-version', version, ...manifests]);
} finally {
  rmSync(environment, { recursive: true, force: true });
}

/** @param {string} command @param {readonly string[]} args */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error !== undefined || status !== 0) {
    process.exitCode = 1;
    throw error ?? new Error(`${command} ended with ${status}`);
  }
}

/** Examples that are whole objects, each as a file of its own. */
function fromDocuments() {
  const pages = readdirSync(docs).filter((name) => name.endsWith('.md'));
  return pages.flatMap((name) =>
    [...readFileSync(join(docs, name), 'utf8').matchAll(/^```ya?ml\n(apiVersion: [^]*?)^```$/gm)].map(
      ([, text = ''], index) => {
        const path = join(environment, `${name}-${index}.yaml`);
        writeFileSync(path, text);
        return path;
      },
    ),
  );
}
