import { isJsonObject } from '../io/try-json.ts';
import { isImageConfigType } from '../oci/media-types.ts';

/** What decides how Harbor reads a config. */
export interface ConfigFacts {
  readonly configType: string;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/** As an image's config, whose fields have types; as any JSON object; or not at all. */
type ConfigReading = 'image' | 'object' | 'nothing';

/** Artifacts that Harbor knows, beside images; their configs are objects. */
const knownTypes: ReadonlySet<string> = new Set([
  'application/vnd.cncf.helm.config.v1+json',
  'application/vnd.cnai.model.manifest.v1+json',
  'application/vnd.goharbor.harbor.sbom.v1',
]);
const wasmType = 'application/vnd.wasm.config.v1+json';
/** Of others that are named like a kind of artifact: `application/vnd.acme.rocket.config.v1+json` is a ROCKET. */
const kindPattern = /^application\/vnd\.[^.]*\..*\.config\.[^.]*\+json$/;

/**
 * How Harbor reads the config of a manifest when it is pushed; what it cannot read it answers with 500, for good.
 * @see goharbor/harbor v2.15.2, src/controller/artifact/processor; the same since v2.0 for all but models and SBOMs
 */
function readingOf({ configType, artifactType, annotations }: ConfigFacts): {
  readonly reading: ConfigReading;
  readonly mayBeEmpty: boolean;
} {
  const isWasm = annotations['module.wasm.image/variant'] === 'compat' || annotations['run.oci.handler'] === 'wasm';
  const type = artifactType ?? configType;
  if (isImageConfigType(type) || (type === wasmType && isWasm)) return { reading: 'image', mayBeEmpty: true };
  if (knownTypes.has(type)) return { reading: 'object', mayBeEmpty: true };
  const isKind = type !== wasmType && !isWasm && kindPattern.test(configType);
  return { reading: isKind ? 'object' : 'nothing', mayBeEmpty: !isKind };
}

/**
 * Why Harbor cannot read a config, or undefined. What it would read from a stream counts: text after the first value
 * does not matter.
 */
export function refuseConfig(bytes: Uint8Array, facts: ConfigFacts): string | undefined {
  const { reading, mayBeEmpty } = readingOf(facts);
  if (reading === 'nothing') return undefined;
  if (bytes.length === 0) return mayBeEmpty ? undefined : 'is empty';
  const value = parseFirst(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  if (value === undefined) return 'is not JSON';
  // Go reads null into anything.
  if (value === null) return undefined;
  if (!isJsonObject(value)) return 'is not a JSON object';
  const field = reading === 'image' ? image(value, '') : undefined;
  return field === undefined ? undefined : `has a field of the wrong type: ${field.slice(0, 200)}`;
}

/** @returns undefined where there is no JSON value */
function parseFirst(text: string): unknown {
  for (const candidate of [text, firstObject(text)]) {
    try {
      if (candidate !== undefined) return JSON.parse(candidate) as unknown;
    } catch {
      // What follows the first value may be anything.
    }
  }
  return undefined;
}

function firstObject(text: string): string | undefined {
  let depth = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (isInString) {
      if (character === '\\') index++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '{' || character === '[') depth++;
    else if ((character === '}' || character === ']') && --depth === 0) return text.slice(0, index + 1);
  }
  return undefined;
}

/** @returns the path of the first field that does not fit */
type Fit = (value: unknown, path: string) => string | undefined;

/** @see Go, time.Time.UnmarshalJSON: RFC 3339, and nothing looser */
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)$/;

const text = fit((value) => typeof value === 'string');
const truth = fit((value) => typeof value === 'boolean');
const time = fit((value) => typeof value === 'string' && timePattern.test(value));
const object = fit(isJsonObject);

/** @see image-spec, specs-go/v1, Image */
const image = fields({
  created: time,
  author: text,
  architecture: text,
  os: text,
  'os.version': text,
  'os.features': listOf(text),
  variant: text,
  config: fields({
    user: text,
    exposedports: mapOf(object),
    env: listOf(text),
    entrypoint: listOf(text),
    cmd: listOf(text),
    volumes: mapOf(object),
    workingdir: text,
    labels: mapOf(text),
    stopsignal: text,
    argsescaped: truth,
  }),
  rootfs: fields({ type: text, diff_ids: listOf(text) }),
  history: listOf(fields({ created: time, created_by: text, author: text, comment: text, empty_layer: truth })),
});

/** Go reads null into anything. */
function fit(fits: (value: unknown) => boolean): Fit {
  return (value, path) => (value === null || fits(value) ? undefined : path);
}

function listOf(item: Fit): Fit {
  return (value, path) => {
    if (!Array.isArray(value)) return value === null ? undefined : path;
    const wrong = (value as unknown[]).find((each) => item(each, path) !== undefined);
    return wrong === undefined ? undefined : item(wrong, path);
  };
}

function mapOf(item: Fit): Fit {
  return entriesOf(() => item);
}

/** Names without regard to case, as Go's reader has it. */
function fields(known: Readonly<Record<string, Fit>>): Fit {
  const byName = new Map(Object.entries(known));
  return entriesOf((name) => byName.get(name.toLowerCase()));
}

function entriesOf(fitOf: (name: string) => Fit | undefined): Fit {
  return (value, path) => {
    if (!isJsonObject(value)) return value === null ? undefined : path;
    for (const [name, item] of Object.entries(value)) {
      const misfit = fitOf(name)?.(item, path === '' ? name : `${path}.${name}`);
      if (misfit !== undefined) return misfit;
    }
    return undefined;
  };
}
