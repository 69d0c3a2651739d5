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
  /** This status and no body, each time. */
  | { readonly kind: 'refuse'; readonly status: number };

/** Decides by what is asked for, and from which place of the file on: hosts ask for parts, several at once. */
export type Meddle = (path: string, from: number) => Meddling | undefined;

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
    const path = asked.url ?? '/';
    const upstream = request(
      { host: SERVER_ADDRESS, port: this.#serverPort, path, method: asked.method, headers: asked.headers },
      (answered) => {
        const from = Number(/^bytes=(\d+)-/.exec(asked.headers.range ?? '')?.[1] ?? 0);
        const meddling = asked.method === 'GET' ? this.#meddle(path, from) : undefined;
        if (meddling?.kind === 'refuse') {
          this.count += 1;
          answered.resume();
          answer.writeHead(meddling.status).end();
          return;
        }
        answer.writeHead(answered.statusCode ?? 502, answered.rawHeaders);
        if (meddling === undefined) answered.pipe(answer);
        else this.#spoil(meddling, answered, answer);
      },
    );
    upstream.on('error', () => answer.destroy());
    answer.on('close', () => upstream.destroy());
    asked.pipe(upstream);
  }

  #spoil(
    meddling: Exclude<Meddling, { kind: 'refuse' }>,
    answered: IncomingMessage,
    answer: ServerResponse,
  ): void {
    this.count += 1;
    let at = Number(/bytes (\d+)-/.exec(answered.headers['content-range'] ?? '')?.[1] ?? 0);
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
