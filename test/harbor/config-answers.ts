/**
 * Which configs a real Harbor 2.15.2 took (201) and refused (500, every time), by how the manifest names them. Each was pushed by tag beside
 * one layer.
 */
export interface ConfigAnswers {
  readonly configType: string;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly isDocker?: true;
  /** Names of `configs`. */
  readonly refused: readonly string[];
  /** What was tried; the rest was not. */
  readonly tried: readonly string[];
}

/** Latin-1, so that bytes which are not UTF-8 have a place. */
export const configs: Readonly<Record<string, string>> = {
  'some text': 'hello',
  nothing: '',
  'a list': '[]',
  'a JSON string': '"x"',
  'a number': '5',
  null: 'null',
  'an empty object': '{}',
  'an object with blanks before it': '  {}',
  'an object with text behind it': '{} trailing',
  'a byte order mark': '\xef\xbb\xbf{}',
  'bytes that are not UTF-8': '{"a":"\xff"}',
  'a number beyond all bounds': '{"a":1e999}',
  'ten thousand objects in each other': `${'{"a":'.repeat(10_001)}1${'}'.repeat(10_001)}`,
  'an architecture that is a number': '{"architecture":5}',
  'the same in capitals': '{"ARCHITECTURE":5}',
  'the same, and then right': '{"architecture":5,"architecture":"amd64"}',
  'an architecture that is null': '{"architecture":null}',
  'a variant that is a number': '{"variant":5}',
  'OS features that are text': '{"os.features":"x"}',
  'a time in words': '{"created":"yesterday"}',
  'an empty time': '{"created":""}',
  'a config that is text': '{"config":"x"}',
  'a command that is text': '{"config":{"Cmd":"sh"}}',
  'a label that is a number': '{"config":{"Labels":{"a":1}}}',
  'volumes in a list': '{"config":{"Volumes":[]}}',
  'a port with a number': '{"config":{"ExposedPorts":{"80":5}}}',
  'escaped arguments in words': '{"config":{"ArgsEscaped":"x"}}',
  'layers in a list': '{"rootfs":[]}',
  'diff IDs that are not digests': '{"rootfs":{"diff_ids":["x"]}}',
  'diff IDs that are numbers': '{"rootfs":{"diff_ids":[5]}}',
  'a history that is an object': '{"history":{}}',
  'a history with a time in words': '{"history":[{"created":"x"}]}',
};

const all = Object.keys(configs);
const few = ['some text', 'nothing', 'a list', 'null', 'an architecture that is a number', 'an empty object'];
const noJson = ['some text', 'a list', 'a JSON string', 'a number', 'a byte order mark'];
const noObject = [...noJson, 'a number beyond all bounds', 'ten thousand objects in each other'];
const taken = [
  'nothing',
  'null',
  'an empty object',
  'an object with blanks before it',
  'an object with text behind it',
];
const noImage = all.filter(
  (name) =>
    ![
      ...taken,
      'bytes that are not UTF-8',
      'a number beyond all bounds',
      'an architecture that is null',
      'diff IDs that are not digests',
    ].includes(name),
);
const image = ['some text', 'a list', 'an architecture that is a number'];
const object = ['some text', 'a list'];
const kind = ['some text', 'nothing', 'a list'];

const ociConfig = 'application/vnd.oci.image.config.v1+json';
const rocket = 'application/vnd.acme.rocket.config.v1+json';

export const answers: readonly ConfigAnswers[] = [
  { configType: 'application/vnd.docker.container.image.v1+json', isDocker: true, refused: noImage, tried: all },
  { configType: ociConfig, refused: noImage, tried: all },
  { configType: 'application/vnd.cncf.helm.config.v1+json', refused: noObject, tried: all },
  { configType: rocket, refused: [...noObject, 'nothing'], tried: all },
  { configType: 'application/vnd.a.b.c.config.v1+json', refused: [...noObject, 'nothing'], tried: all },
  { configType: 'application/vnd.a.b.config.v1.2+json', refused: [], tried: all },
  { configType: 'application/vnd.example.config.v1+json', refused: [], tried: all },
  { configType: 'application/vnd.example.thing.config.v1+text', refused: [], tried: all },
  { configType: '', refused: [], tried: few },
  { configType: 'application/vnd.oci.empty.v1+json', refused: [], tried: few },
  { configType: 'application/octet-stream', isDocker: true, refused: [], tried: few },
  { configType: 'application/vnd.docker.plugin.v1+json', isDocker: true, refused: [], tried: few },
  { configType: 'application/vnd.dev.cosign.artifact.sig.v1+json', refused: [], tried: few },
  { configType: 'application/vnd.cnab.config.v1+json', refused: [], tried: few },
  { configType: 'application/vnd.cnab.manifest.v1', refused: [], tried: few },
  { configType: 'application/vnd.oci.image.index.v1+json', refused: [], tried: few },
  { configType: 'application/vnd.docker.distribution.manifest.v1+prettyjws', refused: [], tried: few },
  { configType: 'application/vnd.wasm.config.v1+json', refused: [], tried: few },
  { configType: ociConfig, annotations: { 'module.wasm.image/variant': 'compat' }, refused: image, tried: few },
  {
    configType: 'application/vnd.x.config+json',
    annotations: { 'run.oci.handler': 'wasm' },
    refused: [],
    tried: few,
  },
  {
    configType: 'application/vnd.cncf.model.config.v1+json',
    artifactType: 'application/vnd.cncf.model.manifest.v1+json',
    refused: kind,
    tried: few,
  },
  {
    configType: 'application/vnd.oci.empty.v1+json',
    artifactType: 'application/vnd.goharbor.harbor.sbom.v1',
    refused: object,
    tried: few,
  },
  { configType: 'application/octet-stream', artifactType: ociConfig, refused: image, tried: few },
  { configType: ociConfig, artifactType: 'application/vnd.acme.thing', refused: kind, tried: few },
  { configType: rocket, artifactType: 'application/vnd.acme.thing', refused: kind, tried: few },
  { configType: 'application/octet-stream', artifactType: rocket, refused: [], tried: few },
];
