import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import peers from './peers.json' with { type: 'json' };

/** A real program that the tests start or compare with; `peers.json` says which command and which Debian package it is. */
export type Peer = keyof typeof peers;

const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(
  (folder) => folder !== '',
);

/** Whether the peer can be used here: it is installed, and this is root where it needs root. */
export function havePeer(name: Peer): boolean {
  const peer: { readonly command: string; readonly root?: boolean } = peers[name];
  if (peer.root === true && process.getuid?.() !== 0) return false;
  return folders.some((folder) => existsSync(join(folder, peer.command)));
}

/** A `describe` that needs real programs. Without one of them it is skipped under a title that names it; where CI is set it fails. */
export function describeWith(needed: Peer | readonly Peer[], title: string, body: () => void): void {
  const absent = [needed].flat().filter((name) => !havePeer(name));
  if (absent.length === 0) {
    describe(title, body);
  } else if (process.env['CI']) {
    describe(title, () => {
      it(`needs ${absent.join(', ')}`, () => expect(absent, 'peers that are missing although CI is set').toEqual([]));
    });
  } else {
    describe.skip(`${title} (skipped: no ${absent.join(', no ')})`, body);
  }
}
