import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import { SERVER_ADDRESS } from './network.ts';

/** What is done to an answer. */
export type Meddling =
  /** One bit of the byte at this place of the file is turned over, whatever range was asked for. */
  | { readonly kind: 'alter'; readonly at: number }
  /** The connection breaks before this place of the file, each time. */
  | { readonly kind: 'cut'; readonly at: number }
  /** The answer ends before this place of the file and says that it is whole. */
  | { readonly kind: 'shorten'; readonly at: number }
  /** This status and no body, each time; the server never hears of it. */
  | { readonly kind: 'refuse'; readonly status: number }
  /** The server does what was asked, and who asked never hears of it. */
  | { readonly kind: 'lose' }
  /** The server does what was asked, and who asked waits for the answer. */
  | { readonly kind: 'stall' }
  /** Without the server's signature. */
  | { readonly kind: 'unsigned' }
  /** What stands at another path. */
  | { readonly kind: 'instead'; readonly path: string };

/** Decides by what is asked for, and from which place of the file on: hosts ask for parts, several at once. */
export type Meddle = (path: string, from: number, method: string) => Meddling | undefined;

export interface MeddlerPlace {
  /** Where the hosts ask. */
  readonly port: number;
  /** Where the server answers. */
  readonly serverPort: number;
}

/** A bad network: a proxy in front of the boot plane that alters or cuts the answers to some requests. */
export class Meddler {
  readonly #server: HttpServer;
  readonly #meddle: Meddle;
  readonly #serverPort: number;
  /** How many answers were meddled with. */
  count = 0;

  private constructor(serverPort: number, meddle: Meddle) {
    this.#meddle = meddle;
    this.#serverPort = serverPort;
    this.#server = createServer((asked, answer) => this.#pass(asked, answer));
  }

  static async start(place: MeddlerPlace, meddle: Meddle): Promise<Meddler> {
    const meddler = new Meddler(place.serverPort, meddle);
    await new Promise<void>((resolve) => meddler.#server.listen(place.port, SERVER_ADDRESS, resolve));
    return meddler;
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    const url = asked.url ?? '/';
    const from = Number(/^bytes=(\d+)-/.exec(asked.headers.range ?? '')?.[1] ?? 0);
    const meddling = this.#meddle(url, from, asked.method ?? 'GET');
    if (meddling !== undefined) this.count += 1;
    if (meddling?.kind === 'refuse') {
      asked.resume();
      answer.writeHead(meddling.status).end();
      return;
    }
    const path = meddling?.kind === 'instead' ? meddling.path : url;
    const upstream = request(
      { host: SERVER_ADDRESS, port: this.#serverPort, path, method: asked.method, headers: asked.headers },
      (answered) => this.#give(meddling, answered, answer),
    );
    upstream.on('error', () => answer.destroy());
    answer.on('close', () => upstream.destroy());
    asked.pipe(upstream);
  }

  #give(meddling: Meddling | undefined, answered: IncomingMessage, answer: ServerResponse): void {
    const status = answered.statusCode ?? 502;
    switch (meddling?.kind) {
      case 'stall':
        answered.resume();
        return;
      case 'lose':
        answered.resume().on('end', () => answer.destroy());
        break;
      case 'unsigned':
        answer.writeHead(status, without(answered.rawHeaders, /^warmboot-signature$/i));
        answered.pipe(answer);
        break;
      case 'shorten': {
        const length = Number(answered.headers['content-length']);
        const bytes = Math.max(0, Math.min(length, meddling.at - startOf(answered)));
        answer.writeHead(status, [
          ...without(answered.rawHeaders, /^content-length$/i),
          'Content-Length',
          String(bytes),
        ]);
        this.#spoil({ ...meddling, kind: 'cut' }, answered, answer);
        break;
      }
      case 'alter':
      case 'cut':
        answer.writeHead(status, answered.rawHeaders);
        this.#spoil(meddling, answered, answer);
        break;
      default:
        answer.writeHead(status, answered.rawHeaders);
        answered.pipe(answer);
    }
  }

  #spoil(
    meddling: Extract<Meddling, { kind: 'alter' | 'cut' }>,
    answered: IncomingMessage,
    answer: ServerResponse,
  ): void {
    let at = startOf(answered);
    answered.on('data', (bytes: Buffer) => {
      const place = meddling.at - at;
      at += bytes.length;
      if (place >= bytes.length || place < 0) {
        if (meddling.kind === 'cut' && place < 0) answer.destroy();
        else if (!answer.write(bytes)) answered.pause();
      } else if (meddling.kind === 'cut') {
        answer.write(bytes.subarray(0, place), () => answer.destroy());
      } else {
        bytes[place] = (bytes[place] ?? 0) ^ 1;
        answer.write(bytes);
      }
    });
    answer.on('drain', () => answered.resume());
    answered.on('end', () => answer.end());
    answered.on('error', () => answer.destroy());
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Where in the file an answer begins. */
function startOf({ headers }: IncomingMessage): number {
  return Number(/bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? 0);
}

/** Headers as Node gives them, name and value in turn, but for one. */
function without(headers: readonly string[], name: RegExp): string[] {
  return headers.filter((_, at) => !name.test(headers[at - (at % 2)] ?? ''));
}
