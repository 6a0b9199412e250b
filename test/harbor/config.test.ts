import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refuseConfig } from '../../src/harbor/config-rules.ts';
import { answers, configs, type ConfigAnswers } from './config-answers.ts';
import { startHarborDouble, type HarborDouble } from './double/start.ts';

const nameOf = ({ configType, artifactType, annotations, isDocker }: ConfigAnswers): string =>
  [
    configType === '' ? 'no type' : configType,
    ...(isDocker === true ? ['in a docker manifest'] : []),
    ...(artifactType === undefined ? [] : [`of ${artifactType}`]),
    ...(annotations === undefined ? [] : [JSON.stringify(annotations)]),
  ].join(' ');
const bytesOf = (name: string): Buffer => Buffer.from(configs[name] ?? '', 'latin1');
/** What Harbor refuses and no image has: not looked for before the push. */
const exotic: ReadonlySet<string> = new Set([
  'a number beyond all bounds',
  'ten thousand objects in each other',
  'the same, and then right',
]);

describe('before the push, what a real Harbor refused is told from what it took', () => {
  it.each(answers.map((answer) => [nameOf(answer), answer] as const))('%s', (_name, answer) => {
    const { configType, artifactType, annotations = {} } = answer;
    const found = answer.tried.filter(
      (name) => refuseConfig(bytesOf(name), { configType, artifactType, annotations }) !== undefined,
    );
    expect(found.filter((name) => !exotic.has(name)).sort()).toEqual(
      answer.refused.filter((name) => !exotic.has(name)).sort(),
    );
    expect(answer.refused).toEqual(expect.arrayContaining(found));
  });

  it('the words say what is wrong', () => {
    const facts = { configType: 'application/vnd.oci.image.config.v1+json', artifactType: undefined, annotations: {} };
    expect(
      ['some text', 'a list', 'a label that is a number'].map((name) => refuseConfig(bytesOf(name), facts)),
    ).toEqual(['is not JSON', 'is not a JSON object', 'has a field of the wrong type: config.Labels.a']);
  });
});

describe('the double answers as it did', () => {
  let harbor: HarborDouble;
  beforeAll(async () => {
    harbor = await startHarborDouble();
  });
  afterAll(() => harbor.stop());

  const send = (method: string, path: string, body?: Buffer, type = 'application/octet-stream'): Promise<Response> =>
    fetch(path.startsWith('http') ? path : `${harbor.url}${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${harbor.admin.username}:${harbor.admin.password}`).toString('base64')}`,
        'content-type': type,
      },
      ...(body && { body: new Uint8Array(body) }),
    });
  const upload = async (bytes: Buffer): Promise<{ digest: string; size: number }> => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const location = (await send('POST', '/v2/library/app/blobs/uploads/')).headers.get('location') ?? '';
    expect((await send('PUT', `${location}&digest=${digest}`, bytes)).status).toBe(201);
    return { digest, size: bytes.length };
  };

  it('to every type, with the configs that tell them apart', async () => {
    const names = ['some text', 'nothing', 'a list', 'null', 'an architecture that is a number', 'an empty object'];
    const layer = { mediaType: 'application/octet-stream', ...(await upload(Buffer.from('layer'))) };
    const uploaded = new Map<string, { digest: string; size: number }>();
    for (const name of names) uploaded.set(name, await upload(bytesOf(name)));
    for (const answer of answers) {
      const { configType, isDocker, refused, artifactType, annotations } = answer;
      const mediaType =
        isDocker === true
          ? 'application/vnd.docker.distribution.manifest.v2+json'
          : 'application/vnd.oci.image.manifest.v1+json';
      const found: string[] = [];
      for (const name of names) {
        const config = { mediaType: configType, ...uploaded.get(name) };
        const manifest = { schemaVersion: 2, mediaType, artifactType, config, layers: [layer], annotations };
        const body = Buffer.from(JSON.stringify(manifest));
        const { status } = await send('PUT', '/v2/library/app/manifests/v1', body, mediaType);
        if (status === 500) found.push(name);
        else expect(status).toBe(201);
      }
      expect([nameOf(answer), found]).toEqual([nameOf(answer), names.filter((name) => refused.includes(name))]);
    }
  });
});
