import { printable } from '../../io/printable.ts';

/** Names of `--events jsonl`: a part of the interface, never renamed. docs/events.md says what each holds. */
export type EventName =
  | 'listening'
  | 'pull'
  | 'request'
  | 'start'
  | 'image-start'
  | 'image'
  | 'blob'
  | 'progress'
  | 'message'
  | 'error'
  | 'summary'
  | 'end';

/** Writes one JSON object a line. */
export interface EventWriter {
  write(event: EventName, fields: Readonly<Record<string, unknown>>): void;
}

/** @param write takes whole lines */
export function createEventWriter(write: (line: string) => void): EventWriter {
  return {
    write: (event, fields) =>
      write(`${printable(JSON.stringify({ event, time: new Date().toISOString(), ...fields }))}\n`),
  };
}
