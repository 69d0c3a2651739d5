import { createSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { startProxyDhcp } from '../server/dhcp/proxy-dhcp.ts';
import { bound } from '../server/dhcp/sockets.ts';
import { fuzzHandler } from '../test/dhcp/fuzz.ts';
import { mutations } from '../test/dhcp/mutations.ts';

/**
 * Random and mutated packets for proxyDHCP, on the handler of each port (10 million, or the first argument), then a part of them
 * through real sockets on loopback. Ends with exit code 1 when one throws, gets an address, or leaves a socket or memory behind.
 */

const packets = Number(process.argv[2] ?? 10_000_000);
const wired = Math.min(packets, 300_000);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const BATCH = 500_000;
const PORTS = { server: 42_067, client: 42_068, bootServer: 42_011 };
/** What is between the smallest and the largest heap of a run that leaks nothing, MiB. */
const SLACK_MIB = 64;

const mib = () => Math.round(process.memoryUsage().heapUsed / 1024 ** 2);
const sockets = () => readdirSync('/proc/self/fd').length;
const say = (text: string) => process.stdout.write(`${text}\n`);
let failed = false;
function check(isGood: boolean, text: string): void {
  say(`${isGood ? 'ok  ' : 'FAIL'} ${text}`);
  failed ||= !isGood;
}

say(`seed ${seed}`);
for (const door of ['dhcp', 'boot-server'] as const) {
  const began = performance.now();
  let answered = 0;
  let addresses = 0;
  let heapMib = 0;
  for (let done = 0; done < packets; done += BATCH) {
    const result = await fuzzHandler(door, Math.min(BATCH, packets - done), seed + done);
    answered += result.answered;
    addresses += result.addresses;
    globalThis.gc?.();
    if (done === 0) heapMib = mib();
  }
  const seconds = (performance.now() - began) / 1000;
  say(`${door}: ${packets} packets, ${answered} answered, ${Math.round(packets / seconds)} a second`);
  check(addresses === 0, 'no answer hands out an address');
  check(mib() - heapMib < SLACK_MIB, `heap ${heapMib} MiB after the first batch, ${mib()} MiB at the end`);
}

const fdsBefore = sockets();
const nothing = () => undefined;
const service = await startProxyDhcp({
  limits: { clients: 'all', selector: null },
  interfaces: ['lo'],
  bootUrl: 'http://127.0.0.1:8080',
  tftpHost: '0.0.0.0',
  logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  knownHost: async () => null,
  ports: PORTS,
});
const client = await bound({ port: PORTS.client, address: '127.0.0.1', isShared: true });
let heard = 0;
client.on('message', () => {
  heard += 1;
});
const next = mutations(seed);
for (let sent = 0; sent < wired; sent++) {
  const port = sent % 2 === 0 ? PORTS.server : PORTS.bootServer;
  client.send(next(), port, '127.0.0.1');
  // The service is in this process: it gets its turns, before a buffer of the kernel overflows.
  if (sent % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
}
await new Promise((resolve) => setTimeout(resolve, 500));
const { length: served } = service.interfaces();
await service.close();
await new Promise<void>((resolve) => client.close(() => resolve()));
say(`sockets: ${wired} packets, ${heard} answers came back from the boot server port`);
check(served === 1 && heard > wired / 100, 'the service answered to the end');
check(sockets() === fdsBefore, `file descriptors before ${fdsBefore}, after ${sockets()}`);
const probe = createSocket('udp4');
await new Promise<void>((resolve, reject) => {
  probe.once('error', reject);
  probe.bind(PORTS.server, '0.0.0.0', () => probe.close(() => resolve()));
});
process.exitCode = failed ? 1 : 0;
