import type { EventView } from '../../contract/events.ts';
import type { Html } from '../html.ts';
import { nothing, table } from '../parts/table.ts';
import { moment } from '../parts/time.ts';

/** What happened to a host lately, the newest first. */
export function hostEvents(events: readonly EventView[]): Html {
  if (events.length === 0) return nothing('None are kept.');
  return table(
    'Events',
    [
      { head: 'Time', cell: ({ at }: EventView) => moment(at) },
      {
        head: 'Kind',
        names: true,
        cell: ({ kind, data }) => (typeof data.report === 'string' ? `${kind}: ${data.report}` : kind),
      },
      { head: 'By', cell: ({ by, actor }) => by ?? actor },
      {
        head: 'What',
        as: 'wide',
        cell: ({ reason, data }) => reason || (typeof data.reason === 'string' ? data.reason : ''),
      },
    ],
    events,
    ({ id }) => String(id),
  );
}
