import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import peers from './peers.json' with { type: 'json' };

/** A real program that the tests start or compare with; `peers.json` says which command it is, and where it comes from: a Debian package, or Go. */
export type Peer = keyof typeof peers;

const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(
  (folder) => folder !== '',
);

/** Whether the peer can be used here: it is installed, and this is root where it needs root. */
export function havePeer(name: Peer): boolean {
  if (peerOf(name).root === true && process.getuid?.() !== 0) return false;
  return findPeer(name) !== undefined;
}

/** What to start for a peer: its path. @throws Error when it is not there */
export function peerCommand(name: Peer): string {
  const found = findPeer(name);
  if (found === undefined) throw new Error(`${name} is not installed: npm run pretest`);
  return found;
}

function findPeer(name: Peer): string | undefined {
  const { command, go } = peerOf(name);
  return (go === undefined ? folders : [goFolder(go)])
    .map((folder) => join(folder, command))
    .find((path) => existsSync(path));
}

function peerOf(name: Peer): { readonly command: string; readonly root?: boolean; readonly go?: string } {
  return peers[name];
}

/** @see install-peers.js, which builds it there */
function goFolder(source: string): string {
  const caches = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(caches, 'regtar-peers', source.replaceAll(/[^\w.@-]+/g, '-'));
}

function isUnbuildable(name: Peer): boolean {
  return peerOf(name).go !== undefined && spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0;
}

/** A `describe` that needs real programs. Without one of them it is skipped under a title that names it; where CI is set it fails. */
export function describeWith(needed: Peer | readonly Peer[], title: string, body: () => void): void {
  const absent = [needed].flat().filter((name) => !havePeer(name));
  if (absent.length === 0) {
    describe(title, body);
  } else if (process.env['CI'] && !absent.every(isUnbuildable)) {
    describe(title, () => {
      it(`needs ${absent.join(', ')}`, () => expect(absent, 'peers that are missing although CI is set').toEqual([]));
    });
  } else {
    describe.skip(`${title} (skipped: no ${absent.join(', no ')})`, body);
  }
}
