import type { ServerResponse } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';

export type Answer = {
  readonly status: 200 | 304;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | null;
};

export type Question = {
  readonly forMs: number;
  /** Calls `onChange` from now on whenever there may be another answer. @returns what ends it */
  listen(onChange: () => void): Promise<() => void>;
  /** @param isOver the time is: what there is now is the answer. @returns null while there is nothing to say */
  answer(isOver: boolean): Promise<Answer | null>;
};

export type LongPolls = {
  readonly stopping: AbortSignal;
  /** Nobody is told what the disk does not have yet. */
  readonly settled: () => Promise<void> | null;
  /** What a question that threw is answered. */
  refuse(c: Context, error: unknown): Response;
};

type Plane = Context<{ Bindings: HttpBindings }>;

/**
 * Holds requests until there is something to answer or their time is over. What a request came through ends as soon as it waits, and it is
 * answered straight on its connection later: ten thousand hosts wait, and what is kept of each is what this server's memory is made of.
 */
export function longPolls(parts: LongPolls) {
  // One listener for all: adding one to a signal looks through those that it has.
  const held = new Set<Held>();
  parts.stopping.addEventListener('abort', () => {
    for (const each of held) each.over();
  });

  /** Listens first, then looks. @throws what the first look throws */
  return async function hold(c: Plane, question: Question): Promise<Response> {
    const poll = new Held(c, question, parts, held);
    const answer = await poll.begin();
    return answer ? sentBy(c, answer) : RESPONSE_ALREADY_SENT;
  };
}

export function sentBy(c: Context, { status, headers, body }: Answer): Response {
  return status === 304 || body === null
    ? c.body(null, 304, { ...headers })
    : c.body(body, status, { ...headers });
}

class Held {
  readonly #c: Plane;
  readonly #question: Question;
  readonly #parts: LongPolls;
  readonly #held: Set<Held>;
  #timer: NodeJS.Timeout | undefined;
  #endListening = () => {};
  #isLooking = true;
  #hasNews = false;
  #isOver = false;
  #isGone = false;

  constructor(c: Plane, question: Question, parts: LongPolls, held: Set<Held>) {
    this.#c = c;
    this.#question = question;
    this.#parts = parts;
    this.#held = held;
  }

  /** @returns the answer where there is one at once; null: it waits, and answers by itself */
  async begin(): Promise<Answer | null> {
    this.#endListening = await this.#question.listen(this.#onChange);
    try {
      this.#held.add(this);
      // Of an answer that waits behind another one of its connection nothing else tells.
      this.#c.env.incoming.socket.once('close', this.#onClose);
      this.#timer = setTimeout(this.over, this.#question.forMs);
      // While it was looked up.
      if (this.#parts.stopping.aborted || this.#c.env.incoming.socket.destroyed) this.#isOver = true;
      return await this.#look();
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  readonly over = (): void => {
    this.#isOver = true;
    this.#onChange();
  };

  readonly #onChange = (): void => {
    this.#hasNews = true;
    if (!this.#isLooking) void this.#tell();
  };

  readonly #onClose = (): void => {
    this.#isGone = true;
    this.#end();
  };

  /** Looks until it has seen the last of what is new, or has an answer: from then on nothing is listened for, or there would be two. */
  async #look(): Promise<Answer | null> {
    this.#isLooking = true;
    try {
      for (;;) {
        this.#hasNews = false;
        const answer = await this.#question.answer(this.#isOver);
        if (answer) this.#end();
        if (answer || !this.#hasNews) return answer;
      }
    } finally {
      this.#isLooking = false;
    }
  }

  async #tell(): Promise<void> {
    try {
      const answer = await this.#look();
      if (answer === null || this.#isGone) return;
      await this.#parts.settled();
      const outgoing = this.#c.env.outgoing as ServerResponse;
      outgoing.writeHead(answer.status, { ...answer.headers, ...lengthOf(answer.body) }).end(answer.body);
    } catch (error) {
      this.#end();
      await this.#refuse(error);
    }
  }

  async #refuse(error: unknown): Promise<void> {
    // What it keeps of the first answer would say to the client, too, that there was one.
    this.#c.res = undefined;
    const { status, headers, body } = this.#parts.refuse(this.#c, error);
    const outgoing = this.#c.env.outgoing as ServerResponse;
    if (this.#isGone || outgoing.headersSent) return;
    const text = body ? Buffer.from(await new Response(body).arrayBuffer()) : null;
    outgoing.writeHead(status, { ...Object.fromEntries(headers), ...lengthOf(text) }).end(text);
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#endListening();
    this.#held.delete(this);
    this.#c.env.incoming.socket.off('close', this.#onClose);
  }
}

function lengthOf(body: Uint8Array | null): { readonly 'content-length'?: number } {
  return body ? { 'content-length': body.length } : {};
}
