import type { HostView, Observation, Seen, Source } from './feed.ts';

/** Lines of each kind. */
const LINES = 12;

/** What was seen of a guest last: where nobody gets at the logs of a run, this is all there is to go by. */
export function lately(all: readonly Observation[], guest: string): string {
  const ofGuest = all.filter((seen) => seen.guest === guest);
  const requests = of(all, 'log').filter(
    ({ record }) => record.room !== 'admin' && record.path !== undefined,
  );
  return [
    part(`${guest} said last`, of(ofGuest, 'serial').map(timed(({ line }) => line.trim()))),
    part('its QEMU said last', of(ofGuest, 'machine').map(timed(({ event }) => event))),
    part('the server knew of it last', of(ofGuest, 'api').map(timed(({ host }) => summary(host)))),
    part(
      'the server was asked for last, by anyone',
      requests.map(timed(({ record }) => `${record.path} ${record.status} to ${record.client}`)),
    ),
  ].join('\n');
}

function of<S extends Source>(all: readonly Observation[], source: S): Seen<S>[] {
  return all.filter((seen): seen is Seen<S> => seen.source === source);
}

function timed<S extends Source>(text: (seen: Seen<S>) => string): (seen: Seen<S>) => string {
  return (seen) => {
    const what = text(seen);
    return what && `${new Date(seen.at).toISOString().slice(11, 19)} ${what}`;
  };
}

function part(title: string, lines: readonly string[]): string {
  const last = lines.filter(Boolean).slice(-LINES);
  return `  ${title}:${['', ...(last.length > 0 ? last : ['nothing'])].join('\n    ')}`;
}

function summary({ state, attempt, observation }: HostView): string {
  const { phase, progress, outcome, reason } = attempt ?? {};
  const written = progress && `${progress.phase} ${progress.bytesDone} of ${progress.bytesTotal}`;
  const runs = observation && `${observation.environment} ${observation.slot ?? 'no slot'}`;
  return [state, phase, written, outcome, reason, runs].filter(Boolean).join(', ');
}
