import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** A program of its own, for a network namespace: sends one datagram and says what comes back. JSON on stdin and on stdout. */

export type Question = {
  readonly from: { readonly address: string; readonly port: number };
  readonly to: { readonly address: string; readonly port: number };
  readonly hex: string;
  /** As many answers are waited for, at most so long; then a moment more, for one too many. */
  readonly answers: number;
  readonly timeoutMs: number;
};

export type Answered = readonly { readonly address: string; readonly port: number; readonly hex: string }[];

const ONE_TOO_MANY_MS = 400;

const { from, to, hex, answers, timeoutMs } = JSON.parse(await text(process.stdin)) as Question;
const socket = createSocket({ type: 'udp4', reuseAddr: true });
const heard: Answered[number][] = [];
socket.bind(from.port, from.address);
await once(socket, 'listening');
socket.setBroadcast(true);
const enough = new Promise<void>((resolve) => {
  socket.on('message', (datagram, { address, port }) => {
    heard.push({ address, port, hex: datagram.toString('hex') });
    if (heard.length === answers) setTimeout(resolve, ONE_TOO_MANY_MS);
  });
  setTimeout(resolve, timeoutMs);
});
socket.send(Buffer.from(hex, 'hex'), to.port, to.address);
await enough;
process.stdout.write(JSON.stringify(heard));
process.exit();
