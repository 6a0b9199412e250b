import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireSignature, signaturePath } from '../../src/report/signature/require-signature.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const report = folder.file('report.json');
beforeAll(() => writeFileSync(report, '{"kind":"regtar report","images":[]}\n'));
afterAll(() => folder.remove());

const read = (path: string, text?: string) => ({
  path,
  bytes: text === undefined ? readFileSync(path) : Buffer.from(text),
});
const refused = (reason: RegExp): unknown =>
  expect.objectContaining({ code: 'SIGNATURE_INVALID', message: expect.stringMatching(reason) as string });

describeWith('ssh-keygen', 'what ssh-keygen -Y sign wrote', () => {
  const kinds = [
    ['ed25519', []],
    ['rsa', ['-b', '2048']],
    ['ecdsa', ['-b', '256']],
    ['ecdsa', ['-b', '384']],
    ['ecdsa', ['-b', '521']],
  ] as const;
  const keyOf = (kind: string, options: readonly string[]): string => folder.file(`key-${kind}${options.join('')}`);
  const publicOf = (key: string): string => readFileSync(`${key}.pub`, 'utf8').trim();
  /** Signs, and gives the signature a name of its own. */
  const sign = async (key: string, namespace = 'file', file = report): Promise<string> => {
    await run('ssh-keygen', ['-Y', 'sign', '-f', key, '-n', namespace, file]);
    const path = `${key}-${namespace}.sig`;
    copyFileSync(`${file}.sig`, path);
    await run('rm', [`${file}.sig`]);
    return path;
  };
  beforeAll(async () => {
    for (const [kind, options] of kinds)
      await run('ssh-keygen', ['-q', '-t', kind, ...options, '-N', '', '-C', 'release', '-f', keyOf(kind, options)]);
  });

  it.each(kinds)('counts with a key of kind %s %j', async (kind, options) => {
    const key = keyOf(kind, options);
    const signature = read(await sign(key));
    const allowed = read('allowed', `# who may sign\n\nrelease@example.org ${publicOf(key)}\n`);
    const { stdout } = await run('ssh-keygen', ['-l', '-f', `${key}.pub`]);
    expect(requireSignature(read(report), signature, allowed)).toEqual({
      tool: 'ssh-keygen',
      name: 'release@example.org',
      key: stdout.split(' ')[1],
    });
    const changed = read(report, `${readFileSync(report, 'utf8')} `);
    expect(() => requireSignature(changed, signature, allowed)).toThrow(refused(/was changed after it was signed/));
  });

  it('any key of the file counts; none of them, no', async () => {
    const [first, second] = [keyOf('ed25519', []), keyOf('rsa', ['-b', '2048'])];
    const signature = read(await sign(second));
    const both = read('allowed', `a@x ${publicOf(first)}\n"b@x,c@x" namespaces="git,file" ${publicOf(second)}`);
    expect(requireSignature(read(report), signature, both)).toMatchObject({ name: 'b@x,c@x' });
    const one = read('allowed', `a@x ${publicOf(first)}`);
    expect(() => requireSignature(read(report), signature, one)).toThrow(refused(/none of the given keys made it/));
  });

  it.each([
    ['a key for other purposes', 'namespaces="git"', /not allowed to sign files/],
    ['a key that is no longer valid', 'valid-before="20200101"', /not valid at this time/],
    ['a key that is not valid yet', 'valid-after="29990101Z"', /not valid at this time/],
    ['a key for certificates', 'cert-authority', /none of the given keys/],
  ])('%s does not count', async (_title, options, reason) => {
    const key = keyOf('ed25519', []);
    const allowed = read('allowed', `a@x ${options} ${publicOf(key)}`);
    const signature = read(await sign(key));
    expect(() => requireSignature(read(report), signature, allowed)).toThrow(refused(reason));
    // ssh-keygen itself judges the same.
    const file = folder.file('allowed');
    writeFileSync(file, allowed.bytes);
    const args = ['-Y', 'verify', '-f', file, '-I', 'a@x', '-n', 'file', '-s', signature.path];
    const judged = await run('ssh-keygen', args, { input: readFileSync(report), allowFailure: true });
    expect(judged.code).not.toBe(0);
  });

  it('a signature for another purpose does not count', async () => {
    const key = keyOf('ed25519', []);
    const allowed = read('allowed', `a@x ${publicOf(key)}`);
    const signature = read(await sign(key, 'git'));
    expect(() => requireSignature(read(report), signature, allowed)).toThrow(refused(/made for "git"/));
  });

  it('whatever is wrong with the signature, it is refused and nothing breaks', async () => {
    const key = keyOf('ed25519', []);
    const allowed = read('allowed', `a@x ${publicOf(key)}`);
    const text = readFileSync(await sign(key), 'utf8');
    const body = Buffer.from(text.replaceAll(/-----[^-]*-----|\s/g, ''), 'base64');
    const armoured = (bytes: Buffer): string =>
      `-----BEGIN SSH SIGNATURE-----\n${bytes.toString('base64')}\n-----END SSH SIGNATURE-----\n`;
    expect(requireSignature(read(report), read('whole', armoured(body)), allowed)).toBeDefined();
    for (let at = 0; at < body.length; at++) {
      const flipped = Buffer.from(body);
      flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
      expect(() => requireSignature(read(report), read('flipped', armoured(flipped)), allowed)).toThrow(refused(/./));
      const cut = armoured(body.subarray(0, at));
      expect(() => requireSignature(read(report), read('cut', cut), allowed)).toThrow(refused(/./));
    }
    expect(() => requireSignature(read(report), read('other', 'hello'), allowed)).toThrow(refused(/not a signature/));
  });

  it.each(['a@x', 'a@x ssh-ed25519', 'a@x ssh-ed25519 !!!!', 'a@x one two ssh-ed25519 AAAA'])(
    'keys that cannot be read are named with their line: %s',
    async (line) => {
      const signature = read(await sign(keyOf('ed25519', [])));
      const allowed = read('allowed', `# first\n${line}`);
      expect(() => requireSignature(read(report), signature, allowed)).toThrow(refused(/line 2/));
    },
  );
});

describeWith('minisign', 'what minisign wrote', () => {
  const secret = folder.file('minisign.key');
  const keys = folder.file('minisign.pub');
  const sign = async (...options: readonly string[]): Promise<string> => {
    await run('minisign', ['-S', '-s', secret, '-m', report, '-t', 'released on 2026-01-02', ...options]);
    return `${report}.minisig`;
  };
  beforeAll(async () => {
    await run('minisign', ['-G', '-W', '-p', keys, '-s', secret]);
  });

  it.each([
    ['of the whole file', ['-l']],
    ['of its hash', []],
  ])('counts: %s', async (_title, options) => {
    const signature = read(await sign(...options));
    // One key in sixteen begins with a zero, which minisign leaves out there.
    const id = /public key ([0-9A-F]+)/.exec(readFileSync(keys, 'utf8'))?.[1]?.padStart(16, '0');
    expect(requireSignature(read(report), signature, read(keys))).toEqual({
      tool: 'minisign',
      name: id,
      key: id,
      comment: 'released on 2026-01-02',
    });
    const changed = read(report, '{}');
    expect(() => requireSignature(changed, signature, read(keys))).toThrow(refused(/was changed after it was signed/));
    const comment = read('x', readFileSync(signature.path, 'utf8').replace('2026-01-02', '2026-01-03'));
    expect(() => requireSignature(read(report), comment, read(keys))).toThrow(refused(/trusted comment was changed/));
  });

  it('of another key does not count', async () => {
    const signature = read(await sign());
    const other = folder.file('other.pub');
    await run('minisign', ['-G', '-W', '-p', other, '-s', folder.file('other.key')]);
    expect(() => requireSignature(read(report), signature, read(other))).toThrow(refused(/none of the given keys is/));
  });

  it('keys may be lines alone, without comments', async () => {
    const line = readFileSync(keys, 'utf8').split('\n')[1] ?? '';
    expect(signaturePath(report, read('keys', line))).toBe(`${report}.minisig`);
    expect(requireSignature(read(report), read(await sign()), read('keys', line))).toMatchObject({ tool: 'minisign' });
  });
});

describe('where a signature lies', () => {
  it('beside the report, as each tool names it', () => {
    expect(signaturePath('r.html', read('keys', 'a@x ssh-ed25519 AAAA'))).toBe('r.html.sig');
    expect(signaturePath('r.html', read('keys', 'untrusted comment: minisign public key'))).toBe('r.html.minisig');
  });
});
