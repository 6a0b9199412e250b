import { isJsonObject } from '../io/try-json.ts';
import type { NumberedLine } from '../io/read-lines.ts';
import type { Problem } from '../errors.ts';
import { createHeapGuard, refuseHeavyJson } from '../io/heap-guard.ts';
import { limits } from '../io/limits.ts';
import { invalidTagMap, type TagMapOptions, type TagMapRow } from './tag-map-row.ts';

/**
 * Harbor's artifact lists: one array, an object of arrays keyed by repository, pages one after the other (an array of
 * arrays, or one a line).
 * Also what `regtar list --json` prints.
 * @see Harbor API v2.0, GET /projects/{project_name}/repositories/{repository_name}/artifacts
 */
export async function* parseJsonTagMap(
  lines: AsyncIterable<NumberedLine>,
  options: TagMapOptions,
  problems: Problem[],
): AsyncGenerator<TagMapRow> {
  const seen = { artifacts: 0, accessories: 0 };
  for (const { value, line } of parseDocuments(await collect(lines, options), options))
    yield* rowsOf(value, { options, line, repository: options.repository, depth: 0, seen });
  if (seen.artifacts > 0 && seen.accessories === 0)
    problems.push({
      code: 'TAG_MAP_INCOMPLETE',
      path: options.describe,
      message:
        `${options.describe} is a list of Harbor's artifacts without accessories: where images are signed, ` +
        'it lacks the ' +
        'tags of their signatures; ask for it with ?with_accessory=true',
    });
}

interface Context {
  readonly options: TagMapOptions;
  readonly line: number;
  /** Of the key above. */
  readonly repository: string | undefined;
  readonly depth: number;
  /** Artifacts as Harbor lists them, and accessories among them. */
  readonly seen: { artifacts: number; accessories: number };
}

/** An object of pages of artifacts, with room to spare. */
const deepestNesting = 8;

async function collect(lines: AsyncIterable<NumberedLine>, options: TagMapOptions): Promise<NumberedLine[]> {
  const all: NumberedLine[] = [];
  let length = 0;
  // A hundred million empty lines are a hundred million objects.
  const refuseFullHeap = createHeapGuard(options.describe, 'MEMORY_FULL');
  for await (const line of lines) {
    refuseFullHeap();
    length += line.text.length;
    if (length > limits.tagMapJsonBytes)
      throw invalidTagMap(
        options,
        line.number,
        `this JSON has more than ${limits.tagMapJsonBytes} bytes; split it, or use CSV`,
      );
    all.push(line);
  }
  return all;
}

function parseDocuments(
  lines: readonly NumberedLine[],
  options: TagMapOptions,
): { readonly value: unknown; readonly line: number }[] {
  const whole = lines.map(({ text }) => text).join('\n');
  refuseHeavyJson(whole, options.describe);
  try {
    return [{ value: JSON.parse(whole) as unknown, line: 1 }];
  } catch (cause) {
    const filled = lines.filter(({ text }) => text.trim() !== '');
    return filled.map(({ number, text }) => {
      try {
        return { value: JSON.parse(text) as unknown, line: number };
      } catch {
        // The first message speaks of the whole document, which is what most people meant to write.
        throw invalidTagMap(
          options,
          filled.length > 1 && number > 1 ? number : 1,
          `this is not JSON: ${cause instanceof Error ? cause.message.slice(0, 200) : ''}`,
          cause,
        );
      }
    });
  }
}

function* rowsOf(value: unknown, above: Context): Generator<TagMapRow> {
  const context = { ...above, depth: above.depth + 1 };
  if (context.depth > deepestNesting)
    throw invalidTagMap(context.options, context.line, `lists are nested deeper than ${deepestNesting}`);
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) yield* rowsOf(item, context);
  } else if (isJsonObject(value) && typeof value['digest'] === 'string')
    yield* artifactRows(value, value['digest'], context);
  else if (isJsonObject(value)) {
    for (const [repository, list] of Object.entries(value)) {
      if (!Array.isArray(list))
        throw invalidTagMap(
          context.options,
          context.line,
          `"${repository.slice(0, 200)}" does not hold a list of artifacts`,
        );
      yield* rowsOf(list, { ...context, repository });
    }
  } else throw invalidTagMap(context.options, context.line, 'a list holds something that is not an artifact');
}

function* artifactRows(
  artifact: Readonly<Record<string, unknown>>,
  digest: string,
  { options, line, repository: above, seen }: Context,
): Generator<TagMapRow> {
  if ('accessories' in artifact || 'manifest_media_type' in artifact) seen.artifacts++;
  const signatures = signaturesOf(artifact, digest, seen);
  const names = tagNames(artifact);
  if (names.length + signatures.length === 0) return;
  const repository = above ?? text(artifact['repository_name']) ?? text(artifact['repository']);
  if (repository === undefined) {
    throw invalidTagMap(
      options,
      line,
      `artifact ${digest.slice(0, 140)} does not say its repository; put the lists into one object with the ` +
        `repositories' names as keys`,
    );
  }
  for (const tag of names) yield { repository, tag, digest, line };
  for (const signature of signatures) yield { repository, ...signature, line };
}

/**
 * Signatures of cosign are tags in storage (`sha256-<hex>.sig`), but accessories in Harbor's list, which are no
 * artifacts of their own there. Other kinds name their subject themselves and need no tag. Of one image there may be
 * several: earlier ones that the tag has left, and those of newer cosigns, which have no tag.
 * @see Harbor API v2.0, Accessory
 */
function signaturesOf(
  artifact: Readonly<Record<string, unknown>>,
  subject: string,
  seen: Context['seen'],
): readonly { readonly tag: string; readonly digest: string; readonly signedAt: string }[] {
  const { accessories } = artifact;
  const listed = Array.isArray(accessories) ? (accessories as unknown[]).filter(isJsonObject) : [];
  seen.accessories += listed.length;
  return listed.flatMap(({ type, digest, subject_artifact_digest: stated, creation_time: created }) =>
    type === 'signature.cosign' && typeof digest === 'string'
      ? [{ tag: `${(text(stated) ?? subject).replace(':', '-')}.sig`, digest, signedAt: text(created) ?? '' }]
      : [],
  );
}

function tagNames(artifact: Readonly<Record<string, unknown>>): string[] {
  const single = text(artifact['tag']);
  if (single !== undefined) return [single];
  const tags = artifact['tags'];
  if (!Array.isArray(tags)) return [];
  return (tags as unknown[]).flatMap((tag) =>
    typeof tag === 'string' ? [tag] : isJsonObject(tag) ? [text(tag['name']) ?? ''] : [],
  );
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
