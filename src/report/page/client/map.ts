import { hierarchy, treemap, treemapSquarify, type HierarchyRectangularNode } from 'd3-hierarchy';
import type { MapNode } from '../model.ts';
import { formatBytes } from '../../../io/sizes.ts';

type Rectangle = HierarchyRectangularNode<MapNode>;

const titleHeight = 16;
/** Of 11 px text, so that names are cut without asking the browser to measure each. */
const letterWidth = 6.6;
/** Narrower than this nothing can be hit. */
const leastPixels = 0.5;

/**
 * Draws the bytes as a treemap: repositories, in them images. A click goes into a repository, or finds an image in the
 * table.
 */
export function drawMap(section: HTMLElement, data: string, find: (name: string) => void): void {
  const root = JSON.parse(data) as MapNode;
  const svg = section.querySelector('svg.tree') as SVGSVGElement;
  const canvas = svg.querySelector(':scope > g') as SVGGElement;
  const line = section.querySelector('output') as HTMLOutputElement;
  const tools = section.querySelector('.map-tools') as HTMLElement;
  hideUnused(section, root);

  let inside: MapNode = root;
  let drawn: Rectangle | undefined;
  let chosen: Rectangle | undefined;
  const elements = new Map<Element, Rectangle>();
  const places = new Map<Rectangle, Element>();

  const draw = (): void => {
    const width = Math.max(280, Math.floor(svg.getBoundingClientRect().width));
    const height = Math.round(Math.min(720, Math.max(360, width * 0.52)));
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    svg.setAttribute('height', String(height));
    drawn = layOut(inside, width, height);
    elements.clear();
    places.clear();
    canvas.replaceChildren(...(drawn.children ?? []).map((node) => drawPart(node, elements, places)));
    tools.replaceChildren(
      ...(inside === root ? [] : [backButton(), text(`${inside.name}, ${formatBytes(drawn.value ?? 0)}`)]),
    );
    choose(undefined);
  };
  const backButton = (): HTMLElement => {
    const button = document.createElement('button');
    button.textContent = '\u2190 all repositories';
    button.onclick = () => enter(root);
    return button;
  };
  const hint = (): string =>
    inside === root
      ? `${formatBytes(drawn?.value ?? 0)} in all. Choose a repository to look into it, or an image to find it ` +
        'in the table.'
      : 'Choose an image to find it in the table.';
  const enter = (node: MapNode): void => {
    inside = node;
    draw();
  };
  const choose = (node: Rectangle | undefined): void => {
    if (chosen !== undefined) places.get(chosen)?.classList.remove('chosen');
    chosen = node;
    if (node !== undefined) places.get(node)?.classList.add('chosen');
    line.textContent = node === undefined ? hint() : describe(node);
  };
  const open = (node: Rectangle): void => {
    if (node.children !== undefined || node.parent !== drawn) {
      const repository = node.children === undefined ? node.parent : node;
      if (inside === root && repository !== null && repository.data.children !== undefined)
        return enter(repository.data);
    }
    if (node.data.kind === 'own') find(node.data.name);
  };

  svg.onpointermove = (event) => choose(elements.get(event.target as Element));
  svg.onpointerleave = () => choose(undefined);
  svg.onclick = (event) => {
    const node = elements.get(event.target as Element);
    if (node !== undefined) open(node);
  };
  svg.onkeydown = (event) => {
    const parts = drawn?.children ?? [];
    const step = steps[event.key] ?? 0;
    if (step !== 0 && parts.length > 0)
      choose(parts[((chosen === undefined ? -1 : parts.indexOf(chosen)) + step + parts.length) % parts.length]);
    else if (event.key === 'Enter' && chosen !== undefined) open(chosen);
    else if (event.key === 'Escape' && inside !== root) enter(root);
    else return;
    event.preventDefault();
  };
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry?.contentRect.width ?? 0);
    if (now !== width) draw();
    width = now;
  }).observe(svg);
}

const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** Leaves out of the legend what the map does not have. */
function hideUnused(section: HTMLElement, root: MapNode): void {
  const kinds = new Set<string>();
  (function collect(node: MapNode): void {
    if (node.kind !== undefined) kinds.add(node.kind);
    node.children?.forEach(collect);
  })(root);
  for (const item of section.querySelectorAll<HTMLElement>('[data-kind]'))
    item.hidden = !kinds.has(item.dataset['kind'] ?? '');
}

function layOut(node: MapNode, width: number, height: number): Rectangle {
  const sized = hierarchy(node, ({ children }) => children as MapNode[] | undefined)
    .sum(({ bytes }) => bytes ?? 0)
    .sort((left, right) => (right.value ?? 0) - (left.value ?? 0));
  return treemap<MapNode>()
    .tile(treemapSquarify)
    .size([width, height])
    .paddingInner((part) => (part.depth === 0 ? (width < 700 ? 1.5 : 3) : 0.5))
    .paddingTop((part) => (part.depth === 1 && hasTitle(part) ? titleHeight : part.depth === 1 ? 1 : 0))
    .paddingLeft((part) => (part.depth === 1 ? 1 : 0))
    .paddingRight((part) => (part.depth === 1 ? 1 : 0))
    .paddingBottom((part) => (part.depth === 1 ? 1 : 0))(sized);
}

function hasTitle({
  x0,
  x1,
  y0,
  y1,
}: {
  readonly x0: number;
  readonly x1: number;
  readonly y0: number;
  readonly y1: number;
}): boolean {
  return x1 - x0 > 48 && y1 - y0 > 34;
}

function drawPart(node: Rectangle, elements: Map<Element, Rectangle>, places: Map<Rectangle, Element>): Element {
  const group = create('g', {});
  places.set(node, group);
  if (node.children === undefined) {
    drawLeaf(node, group, elements, places);
    return group;
  }
  const frame = rectangle(node, 'frame');
  elements.set(frame, node);
  group.append(frame);
  if (hasTitle(node)) group.append(label(node, node.data.name, 11.5));
  for (const leaf of node.children) drawLeaf(leaf, group, elements, places);
  return group;
}

function drawLeaf(
  node: Rectangle,
  group: Element,
  elements: Map<Element, Rectangle>,
  places: Map<Rectangle, Element>,
): void {
  if (node.x1 - node.x0 < leastPixels || node.y1 - node.y0 < leastPixels) return;
  const rect = rectangle(node, `${node.data.kind ?? ''}${node.data.problem === true ? ' problem' : ''}`);
  elements.set(rect, node);
  places.set(node, rect);
  group.append(rect);
  if (hasTitle(node) && node.x1 - node.x0 > 64) {
    group.append(label(node, shortName(node), 14));
    if (node.y1 - node.y0 > 46) group.append(label(node, formatBytes(node.value ?? 0), 28));
  }
}

/** Inside its repository an image is its tags. */
function shortName({ data, parent }: Rectangle): string {
  const above = parent?.data.name ?? '';
  return data.name.startsWith(`${above}:`) || data.name.startsWith(`${above}@`)
    ? data.name.slice(above.length + 1)
    : data.name;
}

function describe(node: Rectangle): string {
  const { data, value = 0 } = node;
  return `${data.name}: ${formatBytes(value)}${data.note === undefined ? '' : `; ${data.note}`}`;
}

function rectangle({ x0, y0, x1, y1 }: Rectangle, name: string): Element {
  return create('rect', { x: round(x0), y: round(y0), width: round(x1 - x0), height: round(y1 - y0), class: name });
}

function label({ x0, y0, x1 }: Rectangle, name: string, down: number): Element {
  const room = Math.floor((x1 - x0 - 8) / letterWidth);
  const element = create('text', { x: round(x0 + 4), y: round(y0 + down) });
  element.textContent = name.length <= room ? name : `${name.slice(0, Math.max(0, room - 1))}\u2026`;
  return element;
}

function create(name: string, attributes: Readonly<Record<string, string>>): Element {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function text(content: string): HTMLElement {
  const element = document.createElement('span');
  element.textContent = content;
  return element;
}

function round(number: number): string {
  return String(Math.round(number * 10) / 10);
}
