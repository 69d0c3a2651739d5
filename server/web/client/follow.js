/**
 * A stream of server-sent events, read by fetch: unlike EventSource this sees the heartbeats, and so notices a connection that has
 * died without a word (a laptop that slept, a NAT that forgot), and it sees with which status it was refused.
 */

/** The server says something at least every 15 seconds. */
const SILENCE_MS = 40_000;

/** The session is over. */
export class LoggedOut extends Error {}

/** What the stream tells of is there no more. */
export class Gone extends Error {}

/**
 * Follows until the stream ends or breaks.
 *
 * @param {string} url
 * @param {string | null} lastId the last event that was seen; null: as the address says
 * @param {AbortSignal} signal
 * @param {{ opened(answer: Response): void, event(id: string | null, kind: string, data: string): void }} told
 * @throws LoggedOut, Gone, or what broke it
 */
export async function follow(url, lastId, signal, told) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const answer = await fetch(url, {
      headers: { accept: 'text/event-stream', ...(lastId !== null && { 'last-event-id': lastId }) },
      cache: 'no-store',
      signal: AbortSignal.any([signal, silence.signal]),
    });
    if (answer.status === 401) throw new LoggedOut();
    if (answer.status === 404) throw new Gone();
    if (!answer.ok || !answer.body) throw new Error(`status ${answer.status}`);
    told.opened(answer);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const frames = (rest + value).split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames)
        if (!frame.startsWith(':'))
          told.event(fieldOf(frame, 'id'), fieldOf(frame, 'event') ?? '', fieldOf(frame, 'data') ?? '');
    }
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {string} frame
 * @param {string} name
 */
function fieldOf(frame, name) {
  const line = frame.split('\n').find((each) => each.startsWith(`${name}: `));
  return line === undefined ? null : line.slice(name.length + 2);
}
