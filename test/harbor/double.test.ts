import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { startHarborDouble, type Credentials, type HarborDouble, type HarborDoubleOptions } from './double/start.ts';
import { readRecording } from './replay/recording.ts';

let harbor: HarborDouble;

afterEach(() => harbor.stop());

describe('what the recording does not show', () => {
  it('takes 1.5 s over a wrong password, and refuses the right one meanwhile', async () => {
    await start({});
    const begun = performance.now();
    const wrong = get('/v2/', { username: 'admin', password: 'wrong' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await get('/v2/', harbor.admin)).status).toBe(401);
    expect(performance.now() - begun).toBeLessThan(1000);
    expect((await wrong).status).toBe(401);
    expect(performance.now() - begun).toBeGreaterThan(1450);
    expect((await get('/v2/', harbor.admin)).status).toBe(200);
  });

  it('ends tokens after their life and leeway', async () => {
    // A token's end is in whole seconds: a life of one might be over at once.
    await start({ tokenLifeSeconds: 2, tokenLeewaySeconds: 0 });
    const token = await fetchToken('library/app');
    expect((await post('/v2/library/app/blobs/uploads/', token)).status).toBe(202);
    await new Promise((resolve) => setTimeout(resolve, 2100));
    const late = await post('/v2/library/app/blobs/uploads/', token);
    expect(late.status).toBe(401);
    expect(late.headers.get('www-authenticate')).toBe('Basic realm="harbor"');
  });

  it('refuses tokens that somebody else signed or changed', async () => {
    await start({});
    const [header, , signature] = (await fetchToken('library/app')).split('.');
    const forged = Buffer.from(
      JSON.stringify({
        sub: 'admin',
        exp: 4e9,
        iat: 0,
        access: [{ type: 'repository', name: 'library/app', actions: ['push'] }],
      }),
    ).toString('base64url');
    expect((await post('/v2/library/app/blobs/uploads/', `${header ?? ''}.${forged}.${signature ?? ''}`)).status).toBe(
      401,
    );
  });

  it('answers as nginx for what is too long: 414, 400 and 413 pages', async () => {
    await start({ clientMaxBodySize: 1000 });
    const url = await get(`/service/token?service=harbor-registry&scope=${'x'.repeat(9000)}`, harbor.admin);
    expect([url.status, await url.text()]).toEqual([414, expect.stringContaining('414 Request-URI Too Large')]);
    const header = await fetch(`${harbor.url}/v2/`, { headers: { Authorization: `Bearer ${'x'.repeat(9000)}` } });
    expect([header.status, await header.text()]).toEqual([
      400,
      expect.stringContaining('Request Header Or Cookie Too Large'),
    ]);
    const location = await beginUpload('library/app');
    const body = await fetch(`${location}&digest=${digestOf(Buffer.alloc(2000))}`, {
      method: 'PUT',
      headers: basic(harbor.admin),
      body: Buffer.alloc(2000),
    });
    expect([body.status, await body.text()]).toEqual([413, expect.stringContaining('413 Request Entity Too Large')]);
  });

  it('counts each blob of a project once against its quota, and gives room back when an upload fails', async () => {
    await start({});
    harbor.createProject('small', { storageLimit: 1500 });
    const blob = randomBytes(1000);
    expect((await upload('small/a', blob, digestOf(Buffer.from('other')))).status).toBe(400);
    expect(harbor.quotaUsed('small')).toBe(0);
    expect((await upload('small/a', blob)).status).toBe(201);
    expect((await upload('small/b', blob)).status).toBe(201);
    expect(harbor.quotaUsed('small')).toBe(1000);
    expect((await upload('small/a', randomBytes(1000))).status).toBe(403);
    harbor.setQuota('small', -1);
    expect((await upload('small/a', randomBytes(1000))).status).toBe(201);
  });

  it.each([
    ['bad-gateway', 502],
    ['answer', 403],
  ] as const)('loses a refusal of a large body when told to: %s', async (earlyRefusal, status) => {
    await start({ earlyRefusal });
    harbor.createProject('small', { storageLimit: 10 });
    expect((await upload('small/a', Buffer.alloc(5 * 1024 * 1024))).status).toBe(status);
  });

  // The recording holds a signed schema 1 manifest but not its layer, so passing the digest check shows as a missing blob.
  it.each([
    ['v2.15.2', 'DIGEST_INVALID'],
    ['v2.14.4', 'MANIFEST_BLOB_UNKNOWN'],
  ])('hands signed schema 1 by tag to the registry as %s does: %s', async (version, code) => {
    await start({ version });
    const signed = readRecording().exchanges.find(({ label }) => label === 'PUT schema1 signed (prettyjws)')?.request;
    const answer = await fetch(`${harbor.url}/v2/library/app/manifests/s1`, {
      method: 'PUT',
      headers: { ...basic(harbor.admin), ...signed?.headers },
      body: signed?.body ?? '',
    });
    expect([answer.status, await answer.json()]).toMatchObject([400, { errors: [{ code }] }]);
  });

  it('has a registry behind that can go down and come back with what it held', async () => {
    await start({});
    const blob = randomBytes(100);
    await upload('library/app', blob);
    await harbor.stopRegistry();
    expect((await head(`/v2/library/app/blobs/${digestOf(blob)}`)).status).toBe(502);
    await harbor.startRegistry();
    expect((await head(`/v2/library/app/blobs/${digestOf(blob)}`)).status).toBe(200);
  });

  it('logs each request with its status, its kind of credentials and its bytes', async () => {
    await start({});
    await upload('library/app', randomBytes(300_000));
    await expect
      .poll(() => harbor.requests)
      .toMatchObject([
        { method: 'POST', path: '/v2/library/app/blobs/uploads/', status: 202, auth: 'basic', requestBytes: 0 },
        { method: 'PUT', status: 201, auth: 'basic', requestBytes: 300_000 },
      ]);
  });
});

async function start(options: HarborDoubleOptions): Promise<void> {
  harbor = await startHarborDouble(options);
}

function get(path: string, credentials: Credentials): Promise<Response> {
  return fetch(harbor.url + path, { headers: basic(credentials) });
}

function head(path: string): Promise<Response> {
  return fetch(harbor.url + path, { method: 'HEAD', headers: basic(harbor.admin) });
}

function post(path: string, token: string): Promise<Response> {
  return fetch(harbor.url + path, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
}

async function fetchToken(repository: string): Promise<string> {
  const answer = await get(
    `/service/token?service=harbor-registry&scope=repository:${repository}:pull,push`,
    harbor.admin,
  );
  return ((await answer.json()) as { token: string }).token;
}

async function beginUpload(repository: string): Promise<string> {
  const answer = await fetch(`${harbor.url}/v2/${repository}/blobs/uploads/`, {
    method: 'POST',
    headers: basic(harbor.admin),
  });
  return answer.headers.get('location') ?? '';
}

async function upload(repository: string, blob: Buffer, digest = digestOf(blob)): Promise<Response> {
  return fetch(`${await beginUpload(repository)}&digest=${digest}`, {
    method: 'PUT',
    headers: basic(harbor.admin),
    body: new Uint8Array(blob),
  });
}

function basic({ username, password }: Credentials): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
