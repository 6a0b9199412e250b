import { printableWords } from '../io/printable.ts';
import { headerOf, type AnswerHead } from './transport.ts';

/** Passes each different `Warning: 299` on once. @see OCI distribution-spec v1.1, "Warnings" */
export function createWarnings(onWarning: ((text: string) => void) | undefined): { read(answer: AnswerHead): void } {
  const seen = new Set<string>();
  return {
    read(answer) {
      const header = headerOf(answer, 'warning');
      if (header === undefined || onWarning === undefined) return;
      for (const match of header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)) {
        const text = printableWords((match[1] ?? '').replace(/\\(.)/g, '$1'));
        if (text === '' || seen.has(text)) continue;
        seen.add(text);
        onWarning(text);
      }
    },
  };
}
