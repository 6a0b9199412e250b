import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { startProcess, type StartedProcess } from './start-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A request that nginx answered. */
export interface WebRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly status: number;
  /** Of the body. */
  readonly bytes: number;
  /** The header as it came; `-` where there was none. */
  readonly range: string;
  readonly authorization: string;
}

/** What one nginx serves, all of it the same folder: see the paths below. */
export interface Nginx {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** `https://127.0.0.1:PORT`, where a certificate was given. */
  readonly tlsUrl: string;
  readonly process: StartedProcess;
  requests(): readonly WebRequest[];
  stop(): Promise<void>;
}

export interface NginxOptions {
  /** What is served. */
  readonly root: string;
  /** PEM files. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** `user:{PLAIN}password` for `/basic/`. */
  readonly user?: { readonly username: string; readonly password: string };
  /** For `/bearer/`. */
  readonly token?: string;
}

/**
 * Starts Debian's nginx on free ports. `/files/` has ranges, `/whole/` has none, `/packed/` says that its answers are compressed, `/basic/`
 * wants a user, `/bearer/` a token, `/moved/` leads to `/files/` with a query that must be kept.
 */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const folder = temporaryFolder();
  const [port, tlsPort] = [await freePort(), await freePort()];
  const log = folder.file('access.log');
  writeFileSync(folder.file('users'), options.user ? `${options.user.username}:{PLAIN}${options.user.password}\n` : '');
  writeFileSync(folder.file('nginx.conf'), configuration(options, { port, tlsPort, folder: folder.path, log }));
  const server = await startProcess('nginx', ['-p', folder.path, '-c', folder.file('nginx.conf'), '-e', 'stderr'], {
    ready: () => answers(`http://127.0.0.1:${port}/ready`),
  });
  return {
    url: `http://127.0.0.1:${port}`,
    tlsUrl: `https://127.0.0.1:${tlsPort}`,
    process: server,
    requests: () => (existsSync(log) ? parseLog(readFileSync(log, 'utf8')) : []),
    async stop() {
      await server.stop();
      folder.remove();
    },
  };
}

function configuration(
  options: NginxOptions,
  { port, tlsPort, folder, log }: { port: number; tlsPort: number; folder: string; log: string },
): string {
  const tls = options.tls
    ? `listen 127.0.0.1:${tlsPort} ssl; ssl_certificate ${options.tls.certificate}; ssl_certificate_key ${options.tls.key};`
    : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join(' ');
  return `
daemon off; master_process off; pid ${join(folder, 'pid')};
events { worker_connections 256; }
http {
  ${temporary}
  log_format lines '@@ $request_method $uri $status $body_bytes_sent "$http_range" "$http_authorization"';
  access_log ${log} lines;
  default_type application/octet-stream;
  keepalive_requests 1000000;
  sendfile on;
  server {
    listen 127.0.0.1:${port}; ${tls}
    location = /ready { access_log off; return 204; }
    location /files/ { alias ${options.root}/; }
    location /whole/ { alias ${options.root}/; max_ranges 0; }
    location /packed/ { alias ${options.root}/; add_header Content-Encoding gzip; }
    location /basic/ { alias ${options.root}/; auth_basic 'files'; auth_basic_user_file ${join(folder, 'users')}; }
    location /bearer/ { if ($http_authorization != 'Bearer ${options.token ?? 'none'}') { return 401; } alias ${options.root}/; }
    location /moved/ { rewrite ^/moved/(.*)$ /signed/$1?signature=sixteen redirect; }
    location /signed/ { if ($arg_signature != 'sixteen') { return 403; } alias ${options.root}/; }
  }
}
`;
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 204);
    }).once('error', () => resolve(false));
  });
}

function parseLog(log: string): WebRequest[] {
  return [...log.matchAll(/^@@ (\S+) (\S+) (\d+) (\d+) "(.*?)" "(.*?)"$/gm)].map(
    ([, method = '', path = '', status = '', bytes = '', range = '', authorization = '']) => ({
      method,
      path,
      status: Number(status),
      bytes: Number(bytes),
      range,
      authorization,
    }),
  );
}
