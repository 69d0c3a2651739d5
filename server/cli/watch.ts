import { setTimeout } from 'node:timers/promises';
import { InterruptedError, UnreachableError } from './cli-error.ts';
import { listen } from './news.ts';
import type { Session, SessionNeeds } from './session.ts';
import { clean, harmless, json as jsonText } from './text.ts';

/** What a command shows at one moment. */
export interface View {
  /** All of it, for a terminal: whole lines. */
  readonly text: string;
  /** What may change, for everything else: one line each, without times that go on by themselves. */
  readonly rows: readonly { readonly key: string; readonly line: string; readonly raw: unknown }[];
}

/** A server that is started for this command alone has no host that could change. */
export function watchNeeds(isWatched: boolean | undefined): SessionNeeds {
  return isWatched ? { runningServer: 'in one started for this command alone nothing changes' } : {};
}

export const WATCH_HELP =
  'go on showing it as it changes, until Ctrl-C; into a file or a pipe, one line for each change';

/** Changes come together: a rollout moves a hundred hosts. */
const LEAST_MS = 500;
/** Progress is no event, and ages go on. */
const TERMINAL_MS = 3_000;
const PIPE_MS = 15_000;

/**
 * Shows a view again whenever the server's log goes on, and now and then without.
 * @param filter of the events that may change it
 */
export async function watch(
  session: Session,
  load: () => Promise<View>,
  filter: URLSearchParams = new URLSearchParams(),
): Promise<number> {
  const { world, say } = session;
  const news = listen(session, filter);
  const show = world.stdout.isTTY ? redrawer(session) : differ(session);
  let isAway = false;
  try {
    for (;;) {
      news.hasCome = false;
      try {
        show(await load());
        isAway = false;
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        if (!isAway) say(`warmboot: ${error.message} Trying on.`);
        isAway = true;
      }
      await wait(LEAST_MS, world.signal);
      if (!news.hasCome) await news.next(world.stdout.isTTY ? TERMINAL_MS : PIPE_MS);
    }
  } catch (error) {
    if (error instanceof InterruptedError) return 0;
    throw error;
  } finally {
    news.stop();
  }
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {
    throw new InterruptedError();
  });
}

/** Over what was there: nothing flickers, and nothing scrolls away. */
function redrawer({ world }: Session): (view: View) => void {
  let isFirst = true;
  return ({ text }) => {
    const all = harmless(text).split('\n').slice(0, -1);
    // Two lines below, and the one that the cursor stands on.
    const room = (world.stdout.rows ?? Number.POSITIVE_INFINITY) - 4;
    const lines = all.length > room ? [...all.slice(0, room), `… ${all.length - room} more`] : all;
    const start = isFirst ? '\x1b[2J\x1b[H' : '\x1b[H';
    isFirst = false;
    const time = new Date(world.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    world.stdout.write(
      `${start}${[...lines, '', `${time}  Ctrl-C ends`].map((line) => `${line}\x1b[K`).join('\n')}\n\x1b[J`,
    );
  };
}

/** One line for each row that is new, changed or gone; at first one for each. */
function differ({ world, json, print }: Session): (view: View) => void {
  let before = new Map<string, string>();
  return ({ rows }) => {
    const now = new Map(rows.map(({ key, line }) => [key, line]));
    const time = new Date(world.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    for (const { key, line, raw } of rows)
      if (before.get(key) !== line) print(json ? `${jsonText(raw, 0)}\n` : `${time}  ${clean(line)}\n`);
    for (const key of before.keys())
      if (!now.has(key)) print(json ? `${jsonText({ gone: key }, 0)}\n` : `${time}  ${clean(key)}  gone\n`);
    before = now;
  };
}
