import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';
import type { BlobNumbers } from './contracts.ts';
import type { ManifestNode } from './manifest-node.ts';

/** Keeps the nodes of images as numbers. */
export interface NodePacker {
  /**
   * @param node of an image
   * @returns the same node in few bytes, or as it came where it has what numbers cannot tell: a subject, blobs that are
   * not there or have another size, descriptors with more than type, digest and size
   */
  pack(node: ManifestNode): ManifestNode;
}

/** Real backups have a dozen media types and platforms; those made up by the million are not counted. */
const mostValues = 1000;
/** The manifest's number, its media type, its platform, how many blobs it names, and whether one is a config. */
const headLength = 5;
/** Number and media type. */
const blobLength = 2;
const none: readonly never[] = [];
const noAnnotations: Readonly<Record<string, string>> = {};

/**
 * A backup of a hundred thousand images has as many manifests, each with half a dozen blobs: a kilobyte of objects. As
 * numbers in one array they take a tenth, and become objects while they are looked at.
 * @param blobs numbers of the store that the nodes are read from
 */
export function createNodePacker(blobs: BlobNumbers): NodePacker {
  const table = new NodeTable(blobs);
  return { pack: (node) => table.add(node) ?? node };
}

/** The same node with what the index above says of it. */
export function withReference(node: ManifestNode, reference: Descriptor): ManifestNode {
  const platform = reference.platform ?? node.platform;
  return node instanceof PackedNode ? node.referredTo(reference, platform) : { ...node, reference, platform };
}

/** Nodes one after the other: a head, then the blobs in the manifest's order, repetitions included. */
class NodeTable {
  readonly annotations = new Map<number, Readonly<Record<string, string>>>();
  private readonly blobs: BlobNumbers;
  private readonly mediaTypes = new Numbered<string>();
  private readonly platforms = new Numbered<Platform>();
  private words = new Int32Array(1024);
  private used = 0;

  constructor(blobs: BlobNumbers) {
    this.blobs = blobs;
  }

  /** @returns undefined for a node that numbers cannot tell */
  add(node: ManifestNode): PackedNode | undefined {
    if (node.kind !== 'image' || node.subject !== undefined || node.missing.length + node.foreign.length > 0)
      return undefined;
    const named = node.config === undefined ? node.layers : [node.config, ...node.layers];
    const start = this.used;
    this.reserve(headLength + blobLength * named.length);
    const { platform } = node;
    const platformNumber = platform === undefined ? -1 : this.platforms.numberOf(JSON.stringify(platform), platform);
    if (platformNumber === undefined || !this.append(node.descriptor)) return this.backTo(start);
    this.words[this.used++] = platformNumber;
    this.words[this.used++] = named.length;
    this.words[this.used++] = node.config === undefined ? 0 : 1;
    for (const blob of named) if (!this.append(blob)) return this.backTo(start);
    if (Object.keys(node.annotations).length > 0) this.annotations.set(start, node.annotations);
    return new PackedNode(this, start, undefined, this.platform(start));
  }

  descriptor(start: number): Descriptor {
    return this.read(start);
  }

  hasConfig(start: number): boolean {
    return this.words[start + 4] === 1;
  }

  /** Config and layers, repetitions included. */
  named(start: number): Descriptor[] {
    const descriptors: Descriptor[] = [];
    const end = start + headLength + blobLength * (this.words[start + 3] ?? 0);
    for (let at = start + headLength; at < end; at += blobLength) descriptors.push(this.read(at));
    return descriptors;
  }

  private platform(start: number): Platform | undefined {
    return this.platforms.value(this.words[start + 2] ?? -1);
  }

  private read(at: number): Descriptor {
    const number = this.words[at] ?? -1;
    return {
      mediaType: this.mediaTypes.value(this.words[at + 1] ?? -1) ?? '',
      digest: this.blobs.digest(number),
      size: this.blobs.bytes(number),
    };
  }

  /** @returns false for a descriptor that says more than the store knows, or otherwise */
  private append(descriptor: Descriptor): boolean {
    const { mediaType, digest, size, ...others } = descriptor;
    for (const _ in others) return false;
    const number = this.blobs.find(digest);
    if (number < 0 || this.blobs.bytes(number) !== size) return false;
    const type = this.mediaTypes.numberOf(mediaType, mediaType);
    if (type === undefined) return false;
    this.words[this.used++] = number;
    this.words[this.used++] = type;
    return true;
  }

  private reserve(count: number): void {
    if (this.used + count <= this.words.length) return;
    const words = new Int32Array(Math.ceil(((this.used + count) * 3) / 2));
    words.set(this.words);
    this.words = words;
  }

  private backTo(start: number): undefined {
    this.used = start;
    return undefined;
  }
}

/** The few values that many nodes share. */
class Numbered<Value> {
  private readonly values: Value[] = [];
  private readonly numbers = new Map<string, number>();

  value(number: number): Value | undefined {
    return this.values[number];
  }

  /** @returns undefined when there are too many */
  numberOf(key: string, value: Value): number | undefined {
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    if (this.values.length >= mostValues) return undefined;
    this.numbers.set(key, this.values.length);
    return this.values.push(value) - 1;
  }
}

class PackedNode implements ManifestNode {
  readonly reference?: Descriptor;
  readonly platform: Platform | undefined;
  private readonly table: NodeTable;
  private readonly start: number;

  constructor(table: NodeTable, start: number, reference: Descriptor | undefined, platform: Platform | undefined) {
    this.table = table;
    this.start = start;
    this.platform = platform;
    if (reference !== undefined) this.reference = reference;
  }

  get kind(): 'image' {
    return 'image';
  }

  get descriptor(): Descriptor {
    return this.table.descriptor(this.start);
  }

  get config(): Descriptor | undefined {
    return this.table.hasConfig(this.start) ? this.table.named(this.start)[0] : undefined;
  }

  get layers(): readonly Descriptor[] {
    const named = this.table.named(this.start);
    return this.table.hasConfig(this.start) ? named.slice(1) : named;
  }

  get blobs(): readonly Descriptor[] {
    const seen = new Set<string>();
    return this.table.named(this.start).filter(({ digest }) => !seen.has(digest) && seen.add(digest));
  }

  get children(): readonly ManifestNode[] {
    return none;
  }

  get lostChildren(): readonly never[] {
    return none;
  }

  get missing(): readonly Descriptor[] {
    return none;
  }

  get foreign(): readonly Descriptor[] {
    return none;
  }

  get subject(): undefined {
    return undefined;
  }

  get annotations(): Readonly<Record<string, string>> {
    return this.table.annotations.get(this.start) ?? noAnnotations;
  }

  get levelsBelow(): number {
    return 0;
  }

  referredTo(reference: Descriptor, platform: Platform | undefined): PackedNode {
    return new PackedNode(this.table, this.start, reference, platform);
  }
}
