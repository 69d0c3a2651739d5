import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { execa } from 'execa';
import { type Answer, type Client, decode, encode } from './dhcp-packets.ts';

/**
 * A program of its own, for a network namespace: makes a network of two ends, starts a DHCP server at one, and plays one client
 * after the other at the other. Reads an `Exchange` as JSON on stdin; says on stdout, as JSON, an `Outcome` for each client.
 */

export type Exchange = {
  /** Stays in the foreground; its end of the network is `wb-server`, 10.77.0.1/24. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly clients: readonly Client[];
};

/** Offer and acknowledgement; null where none came. */
export type Outcome = { readonly offer: Answer | null; readonly ack: Answer | null };

/** A server that is silent at first is still starting; one that stays so does not mean to answer. */
const ASK_EVERY_MS = 500;
const FIRST_ANSWER_MS = 100_000;
const ANSWER_MS = 60_000;

/** Option 53, in hex. */
const OFFER = '02';
const ACK = '05';

const { command, env, clients } = JSON.parse(await text(process.stdin)) as Exchange;

// A second network namespace for the server: its shell says that it is in it, waits for its end of the network, then becomes the server.
const server = spawn('unshare', ['--net', '--', 'sh', '-c', 'echo; read -r _; exec "$@"', 'sh', ...command], {
  stdio: ['pipe', 'pipe', 'pipe'],
  env: { ...process.env, ...env },
});
let said = '';
const hear = (chunk: Buffer) => {
  said += chunk;
};
server.stdout.on('data', hear);
server.stderr.on('data', hear);
// Until then its process is still in our namespace.
await once(server.stdout, 'data');

const ip = (...args: string[]) => execa('ip', args);
const there = (...args: string[]) => execa('nsenter', ['-t', String(server.pid), '-n', 'ip', ...args]);
await ip(
  'link',
  'add',
  'wb-client',
  'type',
  'veth',
  'peer',
  'name',
  'wb-server',
  'netns',
  String(server.pid),
);
await there('address', 'add', '10.77.0.1/24', 'dev', 'wb-server');
for (const name of ['lo', 'wb-server']) await there('link', 'set', name, 'up');
await ip('address', 'add', '10.77.0.2/24', 'dev', 'wb-client');
await ip('link', 'set', 'wb-client', 'up');
await ip('route', 'add', '255.255.255.255', 'dev', 'wb-client');
server.stdin.end('go\n');

const socket = createSocket('udp4');
socket.bind(68, '0.0.0.0');
await once(socket, 'listening');
socket.setBroadcast(true);

async function ask(
  client: Client,
  type: string,
  taken: Answer | undefined,
  ms: number,
): Promise<Answer | null> {
  const request = encode(client, taken);
  const give = AbortSignal.timeout(ms);
  const send = () => socket.send(request, 67, '255.255.255.255');
  send();
  const again = setInterval(send, ASK_EVERY_MS);
  try {
    for (;;) {
      const [datagram] = (await once(socket, 'message', { signal: give })) as [Buffer];
      const answer = decode(datagram, client);
      if (answer?.options[53] === type) return answer;
    }
  } catch (error) {
    if (!give.aborted) throw error;
    return null;
  } finally {
    clearInterval(again);
  }
}

const outcomes: Outcome[] = [];
for (const client of clients) {
  const offer = await ask(client, OFFER, undefined, outcomes.length === 0 ? FIRST_ANSWER_MS : ANSWER_MS);
  const ack = offer && (await ask(client, ACK, offer, ANSWER_MS));
  outcomes.push({ offer, ack });
}
process.stdout.write(JSON.stringify({ outcomes, said }));
process.exit();
