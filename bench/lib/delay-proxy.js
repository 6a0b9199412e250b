// @ts-check
// delay-proxy.js TARGET PORT MILLISECONDS: a server that is far away.
import { Agent, createServer, request } from 'node:http';

const [target = '', port = '', milliseconds = ''] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });

createServer((incoming, outgoing) => {
  setTimeout(() => {
    const asked = request(
      new URL(incoming.url ?? '/', target),
      { method: incoming.method, headers: incoming.headers, agent },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    asked.once('error', () => outgoing.destroy());
    incoming.pipe(asked);
  }, Number(milliseconds));
}).listen(Number(port), '127.0.0.1');
