import { createSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { askTftp } from '../server/tftp/ask.ts';
import { startTftp } from '../server/tftp/server.ts';
import { datagrams, fuzz, fuzzFiles } from '../test/tftp/fuzz.ts';
import { seeded } from '../test/tftp/simulated-network.ts';

/**
 * Random and mutated packets at the TFTP server: ten million (or as many as said) on a played network, and 200,000 more through
 * real sockets. Ends with 1 at the first that makes it throw, stop, or keep a socket, a timer or a file.
 */

const MASS = Number(process.argv[2] ?? 10_000_000);
const REAL = Math.min(200_000, MASS);
const SEED = Date.now() % 1_000_000;

for (const why of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(why, (error) => {
    console.error(why, error);
    process.exit(1);
  });

for (const singlePort of [false, true]) {
  const mode = singlePort ? 'single port' : 'a port for each transfer';
  const began = performance.now();
  const result = await fuzz(MASS / 2, SEED, singlePort);
  const seconds = (performance.now() - began) / 1000;
  console.log(`${mode}: seed ${SEED}, ${JSON.stringify(result)}, ${seconds.toFixed(0)} s`);
  console.log(`${mode}, real sockets: ${await throughSockets(singlePort)}`);
}

async function throughSockets(singlePort: boolean): Promise<string> {
  const before = openFiles();
  const count = { opened: 0, closed: 0 };
  const limits = { timeoutMs: 20, longestTimeoutMs: 100, retries: 2 };
  const server = await startTftp({
    host: '127.0.0.1',
    port: 0,
    singlePort,
    files: fuzzFiles(count),
    limits,
  });
  const next = datagrams(seeded(SEED));
  const clients = Array.from({ length: 8 }, () => {
    // An answer comes from the transfer's port: half of what follows goes there.
    const client = { socket: createSocket('udp4'), port: server.port, block: 0 };
    client.socket.on('message', (datagram, from) => {
      client.port = from.port;
      client.block = datagram.length > 3 ? datagram.readUInt16BE(2) : 0;
    });
    return client;
  });
  for (let sent = 0; sent < REAL / 2; sent++) {
    const client = clients[sent % clients.length];
    if (!client) continue;
    const port = sent % 3 === 0 ? server.port : client.port;
    client.socket.send(next(client.block), port, '127.0.0.1');
    // Both ends are in this process: the sockets need their turn.
    if (sent % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const refusal = await askTftp('127.0.0.1', server.port, 'small');
  for (const { socket } of clients) socket.close();
  await server.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const left = openFiles() - before;
  if (refusal !== null || left > 0 || count.opened !== count.closed) {
    console.error({ refusal, filesLeft: left, ...count });
    process.exit(1);
  }
  return `${REAL / 2} packets, ${count.opened} transfers, no file handle left, and it answers`;
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}
