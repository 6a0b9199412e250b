import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { regtarDone } from '../e2e/support/regtar.ts';
import { snapshot } from '../e2e/support/snapshot.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/peers.ts';
import { startNginx, type Nginx } from '../support/start-nginx.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { unfinished } from './support/outputs.ts';
import { startRegtar } from './support/start-regtar.ts';

const password = 'very-secret-word';

describeWith(['nginx'], 'an export of a tar on a web server, fetched in threads', () => {
  const folder = temporaryFolder();
  let nginx: Nginx;
  let proxy: FaultProxy;
  let address: string;
  let whole: Record<string, string>;

  beforeAll(async () => {
    // Threads start when 16 MiB were asked for, which is the second layer.
    const { tar } = buildStorage((storage) => {
      for (const name of ['one', 'two', 'three'])
        storage.image(name, 'v1', { layers: [{ files: { noise: randomBytes(9_000_000) } }] });
    });
    mkdirSync(folder.file('root'));
    writeFileSync(folder.file('root', 'docker.tar'), tar());
    nginx = await startNginx({ root: folder.file('root'), user: { username: 'reader', password } });
    proxy = await startFaultProxy(nginx.url);
    address = `${proxy.url.replace('//', `//reader:${password}@`)}/basic/docker.tar`;
    await regtarDone(['export', folder.file('root', 'docker.tar'), folder.file('near')]);
    whole = snapshot(folder.file('near'));
  });
  afterAll(async () => {
    await proxy.stop();
    await nginx.stop();
    folder.remove();
  });

  it.each(['oci', 'dir'])('%s: is that of the file, through cut answers, and shows no secret', async (format) => {
    // Only layers are as long.
    proxy.add({ nth: (n) => n % 2 === 0, fault: { kind: 'truncate', bytes: 1_000_000 } });
    const out = folder.file(`far-${format}`);
    const { stderr } = await regtarDone(['export', '-v', address, out, '--format', format, '--retry-delay', '0.01']);
    proxy.heal();
    const near = folder.file(`near-${format}`);
    await regtarDone(['export', folder.file('near'), near, '--format', format]);
    expect([snapshot(out), unfinished(out)]).toEqual([format === 'oci' ? whole : snapshot(near), []]);
    expect(stderr).not.toContain(password);
  });

  it('ends by SIGINT with nothing unfinished, and a rerun completes it', async () => {
    const out = folder.file('stopped');
    proxy.add({ fault: { kind: 'trickle', bytes: 100_000, milliseconds: 50 } });
    const run = startRegtar(['export', address, out]);
    const underWay = (): string[] => (existsSync(`${out}/.regtar-tmp`) ? filesBeneath(`${out}/.regtar-tmp`) : []);
    while (underWay().length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    run.kill('SIGINT');
    const { code, stderr } = await run.ended;
    expect([code, stderr], stderr).toEqual([130, expect.not.stringContaining(password)]);
    expect(unfinished(out)).toEqual([]);
    proxy.heal();
    await regtarDone(['export', address, out]);
    expect(snapshot(out)).toEqual(whole);
  });
});

/** Files that have got bytes. */
function filesBeneath(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const found = statSync(`${folder}/${path}`, { throwIfNoEntry: false });
    return found?.isFile() === true && found.size > 0;
  });
}
