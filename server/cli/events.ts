import { type EventView, eventListSchema, eventSchema, hostListSchema } from '../contract/admin-plane.ts';
import { count } from './arguments.ts';
import { InterruptedError, UnreachableError } from './cli-error.ts';
import { type Client, parsed } from './client.ts';
import type { Cli } from './command.ts';
import { pause } from './pause.ts';
import { relative } from './quantity.ts';
import { type Session, tableWidth } from './session.ts';
import { table } from './table.ts';
import { clean, cut, json as jsonText, pad } from './text.ts';

const SHOWN = 100;
const SHOWN_BEFORE_FOLLOWING = 10;
const RECONNECT_MS = 1000;

interface EventOptions {
  readonly follow?: boolean;
  readonly host?: string;
  readonly limit?: number;
  readonly after?: number;
}

export function addEvents({ program, run }: Cli): void {
  program
    .command('events')
    .description('List what happened, the newest last.')
    .option('--follow', 'go on with what happens from now, until Ctrl-C')
    .option('--host <mac>', 'only events of this host')
    .option(
      '--limit <n>',
      `so many at most (default: ${SHOWN}; with --follow ${SHOWN_BEFORE_FOLLOWING})`,
      count,
    )
    .option('--after <id>', 'begin after this event, not with the newest', count)
    .addHelpText('after', '\nWith --json, --follow prints one event a line.')
    .action((options: EventOptions) =>
      run(
        options.follow ? { runningServer: 'in one started for this command alone nothing happens' } : {},
        (session) => events(session, options),
      ),
    );
}

async function events(session: Session, { follow, host, limit, after }: EventOptions): Promise<number> {
  const { client, json, print, printJson, say, world } = session;
  const query = new URLSearchParams({ limit: String(limit ?? (follow ? SHOWN_BEFORE_FOLLOWING : SHOWN)) });
  if (after !== undefined) query.set('after', String(after));
  if (host !== undefined) query.set('host', host);
  const { raw, data } = await client.get(`/api/v1/events?${query}`, eventListSchema);
  const names = new HostNames(client);
  if (follow) {
    const sent = (raw as { events: unknown[] }).events;
    for (const [at, event] of data.events.entries()) await printLine(session, event, sent[at], names);
    return followEvents(session, data.next, host, names);
  }
  if (json) printJson(raw);
  else if (data.events.length === 0) say('Nothing has happened.');
  else {
    await names.learn(data.events);
    print(eventTable(data.events, (id) => names.of(id), world.now(), tableWidth(world)));
  }
  return 0;
}

function eventTable(
  list: readonly EventView[],
  nameOf: (host: string | null) => string,
  now: number,
  fitTo?: number,
): string {
  return table(
    [
      { title: 'ID', align: 'right' },
      { title: 'WHEN' },
      { title: 'HOST', least: 17 },
      { title: 'EVENT' },
      { title: 'BY' },
      { title: 'REASON', least: 16 },
    ],
    list.map((event) => [
      String(event.id),
      relative(event.at, now),
      nameOf(event.host),
      event.kind,
      event.actor,
      event.reason || '-',
    ]),
    fitTo,
  );
}

/** Prints events as they come, across broken connections, until the user has seen enough. */
async function followEvents(
  session: Session,
  from: number,
  host: string | undefined,
  names: HostNames,
): Promise<number> {
  const { client, world, say } = session;
  let after = from;
  let isAway = false;
  try {
    for (;;) {
      try {
        const query = new URLSearchParams({ after: String(after), ...(host === undefined ? {} : { host }) });
        const headers = { 'last-event-id': String(after) };
        for await (const { data } of client.events(`/api/v1/events?${query}`, headers)) {
          isAway = false;
          const event = parsed(data, eventSchema);
          if (event === null || event.id <= after) continue;
          after = event.id;
          await printLine(session, event, JSON.parse(data), names);
        }
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        if (!isAway) say(`warmboot: ${error.message} Trying on.`);
        isAway = true;
      }
      await pause(RECONNECT_MS, world.signal);
    }
  } catch (error) {
    if (error instanceof InterruptedError) return 0;
    throw error;
  }
}

/** @param raw as the API sent it */
async function printLine(session: Session, event: EventView, raw: unknown, names: HostNames): Promise<void> {
  if (session.json) return session.print(`${jsonText(raw, 0)}\n`);
  await names.learn([event]);
  const time = new Date(event.at).toISOString().replace(/\.\d+Z$/, 'Z');
  const line = clean(
    `${time}  ${pad(names.of(event.host), 17)}  ${pad(event.kind, 14)}  ${pad(event.actor, 8)}  ${event.reason}`,
  );
  const room = tableWidth(session.world);
  session.print(`${room === undefined ? line : cut(line, room)}\n`);
}

/** Events name a host by its id; people know its MAC. One request, and another when a host is new. */
class HostNames {
  readonly #client: Client;
  readonly #macs = new Map<string, string>();

  constructor(client: Client) {
    this.#client = client;
  }

  of(host: string | null): string {
    return host === null ? '-' : (this.#macs.get(host) ?? host);
  }

  async learn(list: readonly EventView[]): Promise<void> {
    const unknown = list.filter(({ host }) => host !== null && !this.#macs.has(host));
    if (unknown.length === 0) return;
    const { data } = await this.#client.get('/api/v1/hosts', hostListSchema);
    for (const { id, mac } of data.hosts) this.#macs.set(id, mac);
    // One that was removed keeps its id, and is not asked for again.
    for (const { host } of unknown) if (host !== null && !this.#macs.has(host)) this.#macs.set(host, host);
  }
}
