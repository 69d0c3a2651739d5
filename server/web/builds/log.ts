import { type BuildLogEntryView, buildLogEntrySchema } from '../../contract/builds.ts';
import { bytes } from '../../words/quantity.ts';
import { type Api, at } from '../api.ts';
import { type Html, html } from '../html.ts';
import { progress } from '../parts/progress.ts';

export type LogEntry = BuildLogEntryView & { readonly number: number };

export type LogSoFar = {
  /** The last of them, in order; progress in between is left out. */
  readonly entries: readonly LogEntry[];
  /** How many came before those. */
  readonly left: number;
  /** Number of the newest entry: a stream that goes on from there misses none. */
  readonly last: number;
};

/** What is known at once comes at once: after so long a silence of a log the rest is still to come. */
const SILENCE_MS = 150;
/** However much there is, a page is answered. */
const MOST_MS = 3_000;
/** So many lines are shown. */
const SHOWN = 2_000;

/** The log as far as it is, of a build that ended or of one that goes on. */
export async function logSoFar(api: Api, id: string): Promise<LogSoFar> {
  const answer = await api.raw('GET', at`/api/v1/builds/${id}/log`);
  if (!answer.ok || !answer.body) return { entries: [], left: 0, last: 0 };
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const entries: LogEntry[] = [];
  const until = Date.now() + MOST_MS;
  let all = 0;
  let rest = '';
  try {
    for (;;) {
      const part = await Promise.race([reader.read(), silence(Math.min(SILENCE_MS, until - Date.now()))]);
      if (part === null || part.done) break;
      const frames = (rest + part.value).split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) {
        const entry = entryOf(frame);
        if (entry === null) continue;
        all = entry.number;
        // Of progress only the newest counts.
        if (isProgress(entries.at(-1)) && isProgress(entry) && entries.at(-1)?.phase === entry.phase)
          entries.pop();
        entries.push(entry);
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  return { entries: entries.slice(-SHOWN), left: Math.max(0, entries.length - SHOWN), last: all };
}

function silence(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), Math.max(0, ms)));
}

function entryOf(frame: string): LogEntry | null {
  const field = (name: string) =>
    frame
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  const data = field('data');
  if (field('event') !== 'entry' || data === undefined) return null;
  const read = buildLogEntrySchema.safeParse(JSON.parse(data));
  return read.success ? { ...read.data, number: Number(field('id')) } : null;
}

function isProgress(entry: LogEntry | undefined): boolean {
  return entry?.bytesDone !== undefined;
}

/** The log as lines; `build-log.js` adds those that come. */
export function logLines({ entries, left, last }: LogSoFar, id: string, isOpen: boolean): Html {
  const stream = at`/api/v1/builds/${id}/log`;
  return html`${left > 0 && html`<p class="quiet">${left.toLocaleString('en')} lines before these are left out.</p>`}
<div class="log" id="log" tabindex="0" role="region" aria-label="Log of the build"${isOpen && html` data-log="${stream}" data-last="${last}"`}><ol>${entries.map(logLine)}</ol></div>`;
}

function logLine(entry: LogEntry): Html {
  const { phase, message, note, log } = entry;
  const kind = note ? 'note' : log ? 'said' : 'step';
  return html`<li class="${kind}"${isProgress(entry) && html` data-progress="${phase}"`}><span class="phase">${phase}</span> <span class="text">${message}${amount(entry)}</span></li>`;
}

function amount({ bytesDone, bytesTotal }: LogEntry): string {
  if (bytesDone === undefined) return '';
  return bytesTotal === undefined
    ? ` (${bytes(bytesDone)})`
    : ` (${bytes(bytesDone)} of ${bytes(bytesTotal)})`;
}

/** How far it is, by the newest entry that says so; null: none does. */
export function buildProgress({ entries }: LogSoFar): Html | null {
  const newest = entries.at(-1);
  if (newest === undefined) return null;
  const { phase, message, bytesDone, bytesTotal, stepsDone, stepsTotal } = newest;
  if (bytesDone !== undefined && bytesTotal !== undefined)
    return html`${phase}: ${message} ${progress(phase, bytesDone, bytesTotal)}`;
  if (stepsDone !== undefined && stepsTotal !== undefined)
    return html`<span class="progress">${phase} <progress max="${stepsTotal}" value="${stepsDone}" aria-label="Steps of the Dockerfile">${stepsDone}</progress> <span class="figures">step ${stepsDone} of ${stepsTotal}</span></span>`;
  return html`${phase}: ${message}`;
}
