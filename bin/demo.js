#!/usr/bin/env node
// Shows the main job on the small real backup of this repository: look at it, then turn it into an OCI layout.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const regtar = fileURLToPath(new URL('regtar.js', import.meta.url));
const backup = fileURLToPath(new URL('../testdata/docker.tar', import.meta.url));
const out = join(mkdtempSync(join(tmpdir(), 'regtar-demo-')), 'out');

run('inspect', backup);
run('export', backup, out, '--format', 'oci');
const { manifests } = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8'));
const blobs = readdirSync(join(out, 'blobs', 'sha256')).length;
console.log(`\n${out} is an OCI image layout now: ${manifests.length} entries in index.json, ${blobs} blobs.`);
console.log('Next: regtar push docker.tar harbor.k8s.li');

function run(...args) {
  console.log(`\n$ regtar ${args.map((arg) => (arg === backup ? 'testdata/docker.tar' : arg)).join(' ')}`);
  const { status } = spawnSync(process.execPath, [regtar, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
