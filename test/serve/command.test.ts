import { copyFileSync } from 'node:fs';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { examples } from '../../src/cli/help/examples.ts';
import { regtarDone } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { shellCommands } from '../docs/support/shell-words.ts';
import { startServe } from './support/start-serve.ts';

const here = temporaryFolder();
copyFileSync(fixturePath, here.file('docker.tar'));
afterAll(() => here.remove());

describe('examples do what they say', () => {
  it.each((examples['serve'] ?? []).map(({ run }) => run))('%s', async (line) => {
    const [[, , ...words] = []] = shellCommands(line);
    if (line.includes('--print-config')) {
      expect((await regtarDone(['serve', ...words])).stdout).toContain('127.0.0.1:5000');
      return;
    }
    const served = await startServe(
      // The port may be somebody else's here.
      words.map((word) => word.replace(/:500\d$/, ':0')),
      { cwd: here.path },
    );
    onTestFinished(() => served.process.stop());
    expect((await fetch(`${served.url}/v2/`)).status).toBe(200);
  });
});
