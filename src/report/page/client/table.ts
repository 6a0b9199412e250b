/** Rows that are in the page at once: thousands of them make every change slow. */
const pageRows = 100;
/** Below this a search is not needed. */
const searchFrom = 12;

interface Row {
  readonly element: HTMLTableRowElement;
  readonly text: string;
}

/** Gives a table of plain rows an order by column, a search and pages. @returns searches for a text */
export function enhanceTable(section: HTMLElement, table: HTMLTableElement): (text: string) => void {
  const body = table.tBodies[0] as HTMLTableSectionElement;
  const all: readonly Row[] = [...body.rows].map((element) => ({
    element,
    text: (element.textContent ?? '').toLowerCase(),
  }));
  let rows = [...all];
  let words: readonly string[] = [];
  let shown = pageRows;
  let isPrinting = false;

  const count = document.createElement('span');
  count.setAttribute('aria-live', 'polite');
  const more = document.createElement('p');

  const show = (): void => {
    const found =
      words.length === 0 || isPrinting ? rows : rows.filter(({ text }) => words.every((word) => text.includes(word)));
    body.replaceChildren(...found.slice(0, isPrinting ? undefined : shown).map(({ element }) => element));
    count.textContent =
      words.length === 0 ? '' : `${found.length.toLocaleString('en-US')} of ${all.length.toLocaleString('en-US')}`;
    const left = found.length - shown;
    more.replaceChildren(
      ...(left <= 0
        ? []
        : [
            button(`Show ${Math.min(left, pageRows)} more`, () => (shown += pageRows)),
            button(`Show all ${found.length.toLocaleString('en-US')}`, () => (shown = Infinity)),
          ]),
    );
  };
  const button = (text: string, act: () => void): HTMLButtonElement => {
    const element = document.createElement('button');
    element.className = 'more';
    element.textContent = text;
    element.onclick = () => {
      act();
      show();
    };
    return element;
  };

  const search = document.createElement('input');
  const searchFor = (text: string): void => {
    words = text
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    shown = pageRows;
    show();
  };
  if (all.length >= searchFrom) {
    search.type = 'search';
    search.placeholder = 'Search';
    search.setAttribute('aria-label', `Search ${table.caption?.textContent ?? ''}`);
    search.oninput = () => searchFor(search.value);
    const tools = document.createElement('div');
    tools.className = 'tools';
    tools.append(search, count);
    table.parentElement?.before(tools);
  }
  orderByColumn(table, (column, isDown) => {
    rows = sorted(all, column, isDown);
    show();
  });
  // A printed report is a record: it has every row, whatever the screen was searched for.
  const print = (isStart: boolean): void => {
    isPrinting = isStart;
    show();
  };
  addEventListener('beforeprint', () => print(true));
  addEventListener('afterprint', () => print(false));
  section.append(more);
  show();
  return (text) => {
    search.value = text;
    searchFor(text);
  };
}

function orderByColumn(table: HTMLTableElement, order: (column: number, isDown: boolean) => void): void {
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
  for (const [index, head] of heads.entries()) {
    const press = document.createElement('button');
    press.append(...head.childNodes);
    head.append(press);
    press.onclick = () => {
      const before = head.getAttribute('aria-sort');
      // Numbers are looked through from the biggest, names from the first.
      const isDown = before === null ? head.classList.contains('n') : before === 'ascending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', isDown ? 'descending' : 'ascending');
      order(index, isDown);
    };
  }
}

function sorted(rows: readonly Row[], column: number, isDown: boolean): Row[] {
  const keyed = rows.map((row) => {
    const cell = row.element.cells[column];
    const number = cell?.dataset['sort'];
    return { row, number: number === undefined ? undefined : Number(number), text: cell?.textContent ?? '' };
  });
  const collator = new Intl.Collator('en', { numeric: true });
  const sign = isDown ? -1 : 1;
  return keyed
    .sort(
      (left, right) =>
        sign *
        (left.number !== undefined && right.number !== undefined
          ? left.number - right.number
          : collator.compare(left.text, right.text)),
    )
    .map(({ row }) => row);
}
