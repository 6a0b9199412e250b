// Plain JavaScript for bare Node: it runs before anything is built, and must cost nothing when everything is there.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

const peers = Object.entries(JSON.parse(readFileSync(new URL('peers.json', import.meta.url), 'utf8')));
const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(Boolean);
/** Programs of Go are built once for each version and shared by all work trees. `peers.ts` looks there, too. */
const goFolder = (source) =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'regtar-peers', source.replaceAll(/[^\w.@-]+/g, '-'));
const isRoot = process.getuid?.() === 0;
const isDryRun = process.argv.includes('--dry-run');

if (missing().some(([, { packages }]) => packages) && !isDryRun && isRoot && isDebian()) install();
if (!isDryRun) for (const [name, { go }] of missing()) if (go !== undefined && haveGo()) buildWithGo(name, go);
report(missing());

function missing() {
  return peers.filter(
    ([, { command, go }]) =>
      !(go === undefined ? folders : [goFolder(go)]).some((folder) => existsSync(join(folder, command))),
  );
}

function isDebian() {
  return existsSync('/etc/debian_version') && existsSync('/usr/bin/apt-get');
}

function haveGo() {
  return spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0;
}

function buildWithGo(name, source) {
  console.error(`building what the tests compare against: ${name} (${source})`);
  const result = spawnSync('go', ['install', source], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, GOBIN: goFolder(source), CGO_ENABLED: '0' },
  });
  if (result.status !== 0) console.error(`go install ${source} failed`);
}

function install() {
  console.error(
    `installing what the tests compare against: ${missing()
      .map(([name]) => name)
      .join(', ')}`,
  );
  const restore = forbidServices();
  try {
    apt(['update', '-qq']);
    // Which package carries a command differs between Debian releases, so each is asked for only where it exists.
    const packages = [...new Set(missing().flatMap(([, peer]) => peer.packages ?? []))].filter(isKnownPackage);
    if (packages.length > 0) apt(['install', '-y', '-qq', '--no-install-recommends', ...packages]);
  } finally {
    restore();
  }
}

function isKnownPackage(name) {
  return spawnSync('apt-cache', ['show', '--no-all-versions', name], { stdio: 'ignore' }).status === 0;
}

function apt(args) {
  const result = spawnSync('apt-get', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (result.status !== 0) console.error(`apt-get ${args[0]} failed`);
}

/** Debian's packages start their daemons on installation unless this policy says no; the tests start their own on free ports. */
function forbidServices() {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return () => {};
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(policy, { force: true });
}

function report(absent) {
  const unusable = isRoot
    ? []
    : peers.filter(([, peer]) => peer.root === true && !absent.some(([, other]) => other === peer));
  for (const [name, { packages, go }] of absent)
    console.error(`peer missing: ${name} (${go === undefined ? `Debian package ${packages[0]}` : `needs Go: ${go}`})`);
  for (const [name] of unusable) console.error(`peer needs root: ${name}`);
  if (absent.length + unusable.length === 0) return;
  // Without Go there is nothing to build them with, and nothing that this script could install.
  if (process.env.CI && (unusable.length > 0 || absent.some(([, { go }]) => go === undefined || haveGo()))) {
    console.error('CI is set, so a missing peer is a failure');
    process.exitCode = 1;
  } else {
    console.error('the tests that need them are skipped by name');
  }
}
