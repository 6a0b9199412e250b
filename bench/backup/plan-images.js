// @ts-check
import { createRandom } from './random.js';

/**
 * @typedef {import('./parameters.js').BackupParameters} BackupParameters
 * @typedef {import('./random.js').Random} Random
 * @typedef {{ number: number, size: number, weight: number, hole: boolean }} Layer `number` makes its bytes its own
 * @typedef {{ architecture: string, layers: Layer[] }} PlannedImage
 * @typedef {{ tag: string, oci: boolean, platforms: PlannedImage[] }} PlannedTag one platform is an image, more are an index
 * @typedef {{ name: string, tags: PlannedTag[] }} PlannedRepository
 * @typedef {{ repositories: PlannedRepository[], layers: Layer[] }} Plan
 */

const groups = ['library', 'platform', 'team-a', 'team-b', 'data', 'monitoring', 'ingress', 'build'];
const parts = [
  'api',
  'web',
  'worker',
  'gateway',
  'billing',
  'search',
  'cache',
  'proxy',
  'agent',
  'operator',
  'exporter',
  'migrate',
];

/**
 * Decides everything but the bytes: names, tags, platforms, which layer is shared by whom, and sizes.
 * @param {BackupParameters} parameters
 * @returns {Plan}
 */
export function planImages(parameters) {
  const random = createRandom(parameters.seed);
  /** @type {Layer[]} */
  const layers = [];
  const newLayer = (/** @type {number} */ weight) => {
    const layer = { number: layers.length, size: 0, weight: weight * Math.exp(2.2 * random.normal()), hole: false };
    layers.push(layer);
    return layer;
  };
  const bases = repeat(parameters.baseImages, () => repeat(2, () => repeat(parameters.baseLayers, () => newLayer(10))));
  const repositories = repeat(parameters.repositories, (number) => {
    const base =
      bases.length > 0 && random.next() < parameters.sharedRatio ? bases[random.below(bases.length)] : undefined;
    return { name: repositoryName(number, random), tags: tagsOf(number, parameters, random, base, newLayer) };
  });
  const first = repositories[0]?.tags[0]?.platforms[0];
  scaleSizes(layers, parameters);
  if (parameters.holeBytes > 0 && first) {
    const hole = { number: layers.length, size: parameters.holeBytes, weight: 0, hole: true };
    layers.push(hole);
    first.layers.push(hole);
  }
  return { repositories, layers };
}

/**
 * @param {number} repository
 * @param {BackupParameters} parameters
 * @param {Random} random
 * @param {Layer[][] | undefined} base its layers for each of two platforms
 * @param {(weight: number) => Layer} newLayer
 * @returns {PlannedTag[]}
 */
function tagsOf(repository, parameters, random, base, newLayer) {
  const from = Math.floor((repository * parameters.images) / parameters.repositories);
  const to = Math.floor(((repository + 1) * parameters.images) / parameters.repositories);
  return repeat(to - from, (number) => {
    const architectures = random.next() < parameters.multiArchRatio ? ['amd64', 'arm64'] : ['amd64'];
    const platforms = architectures.map((architecture, which) => {
      const own = Math.max(1, Math.floor(parameters.ownLayers + random.next() * 3 - 1));
      return { architecture, layers: [...(base?.[which] ?? []), ...repeat(own, () => newLayer(1))] };
    });
    return {
      tag: number === 0 ? 'latest' : `v${1 + Math.floor(number / 10)}.${number % 10}.${random.below(20)}`,
      oci: random.next() < parameters.ociRatio,
      platforms,
    };
  });
}

/** @param {number} number @param {Random} random one to four components, every name once */
function repositoryName(number, random) {
  const group = groups[random.below(groups.length)];
  const last = `${parts[random.below(parts.length)]}-${number}`;
  const depth = random.next();
  if (depth < 0.05) return last;
  if (depth < 0.75) return `${group}/${last}`;
  return depth < 0.95
    ? `${group}/${parts[number % parts.length]}/${last}`
    : `${group}/${parts[number % parts.length]}/images/${last}`;
}

/** Finds the factor at which the clamped sizes come to the wanted sum. @param {Layer[]} layers @param {BackupParameters} parameters */
function scaleSizes(layers, { bytes, largestLayer, smallestLayer }) {
  const sized = (/** @type {number} */ factor, /** @type {Layer} */ layer) =>
    Math.round(Math.min(largestLayer, Math.max(smallestLayer, layer.weight * factor)));
  let low = 0;
  let high = largestLayer * 1e6;
  for (let step = 0; step < 80; step++) {
    const factor = (low + high) / 2;
    if (layers.reduce((sum, layer) => sum + sized(factor, layer), 0) < bytes) low = factor;
    else high = factor;
  }
  for (const layer of layers) layer.size = sized(low, layer);
}

/** @template T @param {number} count @param {(index: number) => T} make @returns {T[]} */
function repeat(count, make) {
  return Array.from({ length: count }, (_, index) => make(index));
}
