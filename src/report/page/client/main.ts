import { enhanceTable } from './table.ts';
import { drawMap } from './map.ts';

// Runs in the page, at its end, before it is first painted.
const searches = new Map<string, (text: string) => void>();
for (const section of document.querySelectorAll<HTMLElement>('main > section')) {
  const table = section.querySelector('table');
  if (table !== null) searches.set(section.id, enhanceTable(section, table));
}
const map = document.getElementById('map');
const data = document.getElementById('map-data')?.textContent;
if (map !== null && data) {
  map.hidden = false;
  drawMap(map, data, (name) => {
    searches.get('images')?.(name);
    document.getElementById('images')?.scrollIntoView();
  });
}
