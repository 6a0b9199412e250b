import { Refusal, send, sendFrontPage } from './answers.ts';
import { bodyBytes, type Exchange } from './exchange.ts';
import { forward, type Upstream } from './forward.ts';
import { isDigest } from './paths.ts';
import { reserve, storedSize } from './quota.ts';
import { projectOf, type World } from './world.ts';

/** Bodies from this size on are refused before they were read. */
const earlyRefusalBytes = 4 * 1024 * 1024;

/** Bytes that open upload sessions have received through PATCH. */
const received = new WeakMap<World, Map<string, number>>();

/** `POST …/blobs/uploads/`: begins a session, or mounts. */
export async function serveUploads(upstream: Upstream, exchange: Exchange, repository: string): Promise<void> {
  const mount = exchange.query.get('mount');
  const project = projectOf(exchange.world, repository);
  if (
    exchange.method !== 'POST' ||
    project === undefined ||
    mount === null ||
    !isDigest(mount) ||
    !exchange.query.has('from')
  ) {
    // Harbor takes no blob in one POST: without `digest` the registry ignores the body and begins a session.
    await forward(upstream, exchange, exchange.query.has('digest') ? { path: exchange.rawPath } : {});
    return;
  }
  const bytes = (await storedSize(exchange.world, mount)) ?? 0;
  const settle = reserve(project, [{ digest: mount, bytes }]);
  const answer = await forward(upstream, exchange);
  settle(answer?.status === 201);
  if (answer?.status === 201) exchange.world.rows.add(mount);
}

/** PATCH, PUT, GET and DELETE of one upload session. */
export async function serveUpload(
  upstream: Upstream,
  exchange: Exchange,
  repository: string,
  session: string,
): Promise<void> {
  const sessions = received.get(exchange.world) ?? new Map<string, number>();
  received.set(exchange.world, sessions);
  if (exchange.method !== 'PUT') {
    const answer = await forward(upstream, exchange);
    const range = /^0-(\d+)$/.exec(String(answer?.headers.range ?? ''));
    if (exchange.method === 'PATCH' && answer?.status === 202 && range !== null)
      sessions.set(session, Number(range[1]) + 1);
    return;
  }
  const digest = exchange.query.get('digest');
  const project = projectOf(exchange.world, repository);
  if (digest === null) throw new Refusal(400, 'BAD_REQUEST', 'exist blob require digest');
  if (project === undefined) return;
  const bytes = (sessions.get(session) ?? 0) + Number(exchange.request.headers['content-length'] ?? 0);
  let settle: (stored: boolean) => void;
  try {
    settle = reserve(project, [{ digest, bytes }]);
  } catch (refusal) {
    if (refuseEarly(exchange)) return;
    throw refusal;
  }
  const answer = await forward(upstream, exchange);
  const stored = answer?.status === 201;
  settle(stored);
  if (!stored) return;
  exchange.world.rows.add(digest);
  sessions.delete(session);
  // A body of unknown length is counted after the fact.
  if (bytes === 0) correct(project, digest, bodyBytes(exchange.request));
}

/** GET, HEAD and DELETE of a blob: the registry's own business, but that HEAD answers from the database. */
export async function serveBlob(
  upstream: Upstream,
  exchange: Exchange,
  _repository: string,
  digest: string,
): Promise<void> {
  if (!isDigest(digest) && !/^sha512:[0-9a-f]{128}$/.test(digest)) {
    throw new Refusal(404, 'NOT_FOUND', `invalid digest: ${digest}`);
  }
  if (exchange.method === 'HEAD' && digest.startsWith('sha256:') && !exchange.world.rows.has(digest)) {
    send(exchange.response, 404, '', {
      'Content-Type': 'application/json; charset=utf-8',
      'Docker-Distribution-Api-Version': 'registry/2.0',
    });
    return;
  }
  await forward(upstream, exchange);
}

/** Through the front, a refusal of a large body is often lost: the core closes the connection that nginx still writes to. */
function refuseEarly(exchange: Exchange): boolean {
  const kind = exchange.world.settings.earlyRefusal;
  if (kind === 'answer' || Number(exchange.request.headers['content-length'] ?? 0) < earlyRefusalBytes) return false;
  if (kind === 'bad-gateway') sendFrontPage(exchange.response, 502);
  else exchange.request.socket.destroy();
  return true;
}

function correct(project: NonNullable<ReturnType<typeof projectOf>>, digest: string, bytes: number): void {
  const counted = project.counted.get(digest);
  if (counted === undefined || counted !== 0) return;
  project.counted.set(digest, bytes);
  project.used += bytes;
}
