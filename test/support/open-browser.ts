import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Duplex, Readable } from 'node:stream';
import { temporaryFolder } from './temporary-folder.ts';

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Default true. */
  readonly scripts?: boolean;
  /** As print rules lay it out, on the screen. */
  readonly print?: boolean;
}

export interface BrowserPage {
  /** The value of an expression, which may be a promise, as JSON carries it. */
  evaluate<Value>(expression: string): Promise<Value>;
  /** PNG of what is to be seen; of the whole page where asked. */
  screenshot(path: string, options?: { readonly whole?: boolean }): Promise<void>;
  /** PDF as the page's own print rules make it. */
  print(): Promise<Buffer>;
  /** Console errors, exceptions, violations of the page's policy. */
  readonly complaints: readonly string[];
  /** Every URL that was asked for. */
  readonly requests: readonly string[];
  /** From navigation to the load event, in milliseconds. */
  readonly loadMilliseconds: number;
  close(): Promise<void>;
}

export interface Browser {
  open(url: string, options?: PageOptions): Promise<BrowserPage>;
  close(): Promise<void>;
}

type Parameters = Readonly<Record<string, unknown>>;
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Starts a headless Chromium and speaks its protocol over pipes: no port, no further dependency. */
export function openBrowser(): Browser {
  const profile = temporaryFolder();
  const child = spawn(
    'chromium',
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--disable-extensions',
      '--disable-background-networking',
      '--hide-scrollbars',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile.path}`,
    ],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, HOME: profile.path },
    },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const waiting = new Map<
    number,
    { resolve: (result: Record<string, unknown>) => void; reject: (error: Error) => void }
  >();
  const listeners = new Set<(message: Message) => void>();
  let lastId = 0;
  let rest = '';
  const input = child.stdio[3] as Duplex;
  (child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
    const messages = (rest + chunk).split('\0');
    rest = messages.pop() ?? '';
    for (const text of messages) receive(JSON.parse(text) as Message);
  });
  child.once('error', (error) => waiting.forEach(({ reject }) => reject(error)));

  const receive = (message: Message): void => {
    const asked = message.id === undefined ? undefined : waiting.get(message.id);
    if (asked === undefined) return listeners.forEach((listener) => listener(message));
    waiting.delete(message.id as number);
    if (message.error) asked.reject(new Error(message.error.message));
    else asked.resolve(message.result ?? {});
  };
  const send = (method: string, params: Parameters = {}, sessionId?: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, { resolve, reject });
      input.write(`${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`);
    });

  return {
    async open(url, { width = 1400, height = 900, dark = false, scripts = true, print = false } = {}) {
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
      const sessionId = (await send('Target.attachToTarget', { targetId, flatten: true }))['sessionId'] as string;
      const ask = (method: string, params: Parameters = {}): Promise<Record<string, unknown>> =>
        send(method, params, sessionId);
      const complaints: string[] = [];
      const requests: string[] = [];
      let loaded = (): void => undefined;
      const load = new Promise<void>((resolve) => (loaded = resolve));
      const listen = ({ method, params, sessionId: from }: Message): void => {
        if (from !== sessionId) return;
        if (method === 'Page.loadEventFired') loaded();
        if (method === 'Network.requestWillBeSent') requests.push((params?.['request'] as { url: string }).url);
        if (method === 'Log.entryAdded') complaints.push((params?.['entry'] as { text: string }).text);
        if (method === 'Runtime.exceptionThrown') complaints.push(JSON.stringify(params?.['exceptionDetails']));
        if (method === 'Page.javascriptDialogOpening') complaints.push('a dialog opened');
      };
      listeners.add(listen);
      await Promise.all(['Page', 'Runtime', 'Log', 'Network'].map((domain) => ask(`${domain}.enable`)));
      await ask('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      await ask('Emulation.setEmulatedMedia', {
        media: print ? 'print' : '',
        features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }],
      });
      if (!scripts) await ask('Emulation.setScriptExecutionDisabled', { value: true });
      const started = performance.now();
      await ask('Page.navigate', { url });
      await load;
      const loadMilliseconds = performance.now() - started;
      return {
        complaints,
        requests,
        loadMilliseconds,
        async evaluate<Value>(expression: string): Promise<Value> {
          const { result, exceptionDetails } = (await ask('Runtime.evaluate', {
            expression,
            awaitPromise: true,
            returnByValue: true,
          })) as { result: { value: Value }; exceptionDetails?: unknown };
          if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
          return result.value;
        },
        async screenshot(path, options = {}) {
          const { data } = await ask('Page.captureScreenshot', {
            format: 'png',
            captureBeyondViewport: options.whole === true,
          });
          writeFileSync(path, Buffer.from(data as string, 'base64'));
        },
        async print() {
          const { data } = await ask('Page.printToPDF', { preferCSSPageSize: true });
          return Buffer.from(data as string, 'base64');
        },
        async close() {
          listeners.delete(listen);
          await send('Target.closeTarget', { targetId });
        },
      };
    },
    async close() {
      await Promise.race([send('Browser.close').catch(() => undefined), ended]);
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(timer);
      profile.remove();
    },
  };
}
