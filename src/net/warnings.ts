import { printableWords } from '../io/printable.ts';
import { headerOf, type AnswerHead } from './transport.ts';

/** A registry may put a count or a time into each of them. */
const mostWarnings = 10;

/** Passes each different `Warning: 299` on once, the first few of them. @see OCI distribution-spec v1.1, "Warnings" */
export function createWarnings(onWarning: ((text: string) => void) | undefined): { read(answer: AnswerHead): void } {
  const seen = new Set<string>();
  return {
    read(answer) {
      const header = headerOf(answer, 'warning');
      if (header === undefined || onWarning === undefined) return;
      for (const match of header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)) {
        const text = printableWords((match[1] ?? '').replace(/\\(.)/g, '$1'));
        if (text === '' || seen.has(text) || seen.size > mostWarnings) continue;
        seen.add(text);
        onWarning(seen.size > mostWarnings ? 'further warnings, which are not shown' : text);
      }
    },
  };
}
