/** One event of a `text/event-stream`. */
export interface SseEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
  /** The last id that the stream gave, here or earlier; empty while it gave none. */
  readonly id: string;
}

/** A stream whose one event is larger than this is no stream of ours (characters). */
const MOST_CHARACTERS = 4 << 20;

/**
 * Takes a stream in pieces of any length and gives its events. Comments, `retry` and unknown fields are passed
 * over; what follows the last blank line is no event. Source: HTML standard, 9.2.6 "Interpreting an event stream".
 */
export class SseParser {
  #rest = '';
  #started = false;
  /** The last piece ended in CR: an LF that begins the next one belongs to it. */
  #afterCr = false;
  #event = '';
  #data: string[] = [];
  #held = 0;
  #id = '';

  /** @param text decoded, so that no character is split; lines may end in CR, LF or CR LF */
  push(text: string): SseEvent[] {
    const events: SseEvent[] = [];
    if (text === '') return events;
    let piece = text;
    if (!this.#started && piece.startsWith('\ufeff')) piece = piece.slice(1);
    if (this.#afterCr && piece.startsWith('\n')) piece = piece.slice(1);
    this.#started = true;
    this.#afterCr = text.endsWith('\r');
    const lines = (this.#rest + piece).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line, events);
    if (this.#rest.length + this.#held > MOST_CHARACTERS) throw new Error('an event is too large');
    return events;
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === '') {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#data.push(value);
      this.#held += value.length + 1;
    } else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
  }

  #dispatch(events: SseEvent[]): void {
    if (this.#data.length > 0)
      events.push({ event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id });
    this.#event = '';
    this.#data = [];
    this.#held = 0;
  }
}

/** The events of a response's body, as they come. Ends where the stream ends. */
export async function* sseEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<SseEvent> {
  const parser = new SseParser();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for await (const piece of body) yield* parser.push(decoder.decode(piece, { stream: true }));
}
