import { readFileSync } from 'node:fs';
import type { Settings } from '../double/world.ts';

/** One exchange with a real Harbor, and what has to be true before it. */
export interface Exchange {
  /** Its number in the recording. */
  readonly n: number;
  readonly section: string;
  readonly label: string;
  /** Who sends it: an account, `wrong:<account>` for a wrong password, `stranger` for nobody's name, `anonymous`, or `literal`. */
  readonly as: string;
  readonly auth?: 'basic' | 'bearer';
  /** The Authorization header of `literal`. */
  readonly authorization?: string;
  /** What the bearer token is asked for. */
  readonly scopes?: readonly string[];
  /** Tokens with a name are fetched once; all others are fresh. */
  readonly token?: string;
  /** What happened between the recorded requests. */
  readonly before?: readonly Step[];
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    /** The body as text. */
    readonly body?: string;
    /** The body is this content of `contents`. */
    readonly blob?: string;
    /** The body is any bytes, this many. */
    readonly bytes?: number;
    /** The body is an image manifest padded to this size. */
    readonly manifestBytes?: number;
    readonly chunked?: boolean;
  };
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    /** Lists were cut after two elements. */
    readonly body?: unknown;
    readonly text?: string;
    /** The title of an HTML page. */
    readonly page?: string;
    /** The body was too long to keep. */
    readonly bodyCut?: boolean;
  };
}

export type Step =
  | { readonly project: string }
  | { readonly blob: string; readonly repository: string }
  | { readonly upload: string; readonly state?: string; readonly repository: string }
  | { readonly lock: string }
  | { readonly unlocked: string }
  | { readonly token: string; readonly scopes: readonly string[] }
  | { readonly settings: Partial<Settings> }
  | { readonly registry: 'up' | 'down' }
  | { readonly core: 'up' | 'down' }
  | { readonly restart: true };

/** What a recorded digest stood for: the recording holds no bytes. */
export interface Content {
  readonly size: number;
  /** `json` an image config, `bare` a JSON object without its fields, `bytes` anything. */
  readonly kind?: 'json' | 'bare' | 'bytes';
  /** The very text, where it is known. */
  readonly text?: string;
}

export interface Recording {
  readonly exchanges: readonly Exchange[];
  /** By the hexadecimal part of the recorded digest. */
  readonly contents: ReadonlyMap<string, Content>;
}

/** Reads the recording that lies beside the test. */
export function readRecording(): Recording {
  const [first = '', ...rest] = readFileSync(new URL('../exchanges.jsonl', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  const { contents } = JSON.parse(first) as { contents: Record<string, Content> };
  return { contents: new Map(Object.entries(contents)), exchanges: rest.map((line) => JSON.parse(line) as Exchange) };
}
