import { copyFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { regtarDone } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { startRegistry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { codeBlocks, readDocuments } from './support/documents.ts';

it('README.md shows what its first commands print', async () => {
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  copyFileSync(fixturePath, folder.file('docker.tar'));
  const registry = await startRegistry();
  onTestFinished(() => registry.stop());
  const readme = readDocuments().find(({ path }) => path === 'README.md');
  const [block] = codeBlocks(readme?.text ?? '');
  const shown = (block?.code ?? '').split(/^\$ /m).slice(1);
  expect(shown).toHaveLength(3);
  for (const each of shown) {
    const [line = '', ...output] = each.trim().split('\n');
    const [, ...args] = line.replace('harbor.k8s.li', registry.host).split(' ');
    const { stdout, stderr } = await regtarDone(args, { cwd: folder.path });
    // An ellipsis stands for the rest.
    const [beginning = ''] = withoutTimes(output.join('\n')).split('…');
    expect(withoutTimes(`${stdout}${stderr}`)).toContain(beginning);
  }
});

function withoutTimes(text: string): string {
  return text.replaceAll(/\d+(?:\.\d+)? s$/gm, 'N s');
}
