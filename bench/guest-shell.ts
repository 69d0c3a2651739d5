import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** Where the guest looks for its next script; see guest/. */
const PORT = 8099;

interface Order {
  readonly script: string;
  readonly give: (said: string) => void;
}

/** Runs scripts in the one guest that has the bench's OS: it fetches them and posts what they said. */
export class GuestShell {
  readonly #server: Server;
  #waiting: ServerResponse | undefined;
  #next: Order | undefined;
  #running: Order | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(address: string): Promise<GuestShell> {
    const server = createServer();
    const shell = new GuestShell(server);
    server.on('request', async (request, response) => {
      if (request.method === 'POST') {
        shell.#running?.give(await text(request));
        shell.#running = undefined;
        response.end();
        return;
      }
      // Who asks anew has left whatever it was doing.
      shell.#running = undefined;
      shell.#waiting = response;
      shell.#serve();
    });
    server.requestTimeout = server.timeout = 0;
    server.listen(PORT, address);
    await once(server, 'listening');
    return shell;
  }

  #serve(): void {
    const [order, response] = [this.#next, this.#waiting];
    if (!order || !response || response.destroyed) return;
    this.#next = this.#waiting = undefined;
    this.#running = order;
    response.end(order.script);
  }

  /** What it printed; throws with it when it failed. */
  async run(script: string, seconds: number): Promise<string> {
    const said = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`the guest did not do this in ${seconds} s: ${script}`)),
        seconds * 1000,
      );
      this.#next = {
        script,
        give: (all) => {
          clearTimeout(timer);
          resolve(all);
        },
      };
      this.#serve();
    });
    const [, output = '', code] = /^([\s\S]*)exit (\d+)\n$/.exec(said) ?? [];
    if (code !== '0') throw new Error(`in the guest: ${script}\nsaid: ${said}`);
    return output;
  }

  /** One after which the guest is gone: handed over, not waited for. */
  hand(script: string): void {
    this.#next = { script, give: () => {} };
    this.#serve();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
