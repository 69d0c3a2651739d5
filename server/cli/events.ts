import { Option } from 'commander';
import { z } from 'zod';
import { type EventView, eventListSchema, eventSchema } from '../contract/events.ts';
import { hostListSchema } from '../contract/hosts.ts';
import { count, path, texts } from './arguments.ts';
import { CliError, InterruptedError, UnreachableError } from './cli-error.ts';
import { type Client, parsed } from './client.ts';
import type { Cli } from './command.ts';
import { everyPage } from './pages.ts';
import { pause } from './pause.ts';
import { relative } from './quantity.ts';
import { type Session, tableWidth } from './session.ts';
import { table } from './table.ts';
import { clean, cut, json as jsonText, pad } from './text.ts';

const SHOWN = 100;
const SHOWN_BEFORE_FOLLOWING = 10;
const RECONNECT_MS = 1000;

/** What a stream says where events are missing. */
const gapSchema = z.object({ after: z.number(), next: z.number(), reason: z.string() });

interface EventFilter {
  readonly host?: string;
  readonly kind?: readonly string[];
  readonly by?: string;
  readonly actor?: string;
  readonly attempt?: string;
  readonly since?: string;
  readonly until?: string;
}

interface EventOptions extends EventFilter {
  readonly follow?: boolean;
  readonly limit?: number;
  readonly after?: number;
  readonly export?: string;
}

export function addEvents({ program, run }: Cli): void {
  program
    .command('events')
    .description('List what happened, the newest last.')
    .option('--follow', 'go on with what happens from now, until Ctrl-C')
    .option('--host <mac>', 'only events of this host')
    .option('--kind <kinds>', 'only these kinds, with commas between; may be given more than once', texts)
    .option('--by <token>', "only what was done with the operator's token of this name")
    .addOption(new Option('--actor <who>', 'only what these did').choices(['operator', 'host', 'server']))
    .option('--attempt <id>', 'only events of this attempt')
    .option('--since <time>', 'from this time on: 2026-11-25T12:00:00Z, or 30m, 6h, 2d ago')
    .option('--until <time>', 'to before this time')
    .option(
      '--export <file>',
      'write all that fit to a file, one JSON object a line; - is standard output',
      path,
    )
    .option(
      '--limit <n>',
      `so many at most (default: ${SHOWN}; with --follow ${SHOWN_BEFORE_FOLLOWING})`,
      count,
    )
    .option('--after <id>', 'begin after this event, not with the newest', count)
    .addHelpText('after', '\nWith --json, --follow prints one event a line.')
    .action((options: EventOptions) => {
      if (options.export !== undefined && (options.follow || options.limit !== undefined))
        throw new CliError('--export takes all that fits: leave --follow and --limit out.', 2);
      return run(
        options.follow ? { runningServer: 'in one started for this command alone nothing happens' } : {},
        (session) =>
          options.export === undefined
            ? events(session, options)
            : exportEvents(session, options, options.export),
      );
    });
}

async function events(session: Session, { follow, limit, after, ...filter }: EventOptions): Promise<number> {
  const { client, json, print, printJson, say, world } = session;
  const query = new URLSearchParams({ limit: String(limit ?? (follow ? SHOWN_BEFORE_FOLLOWING : SHOWN)) });
  if (after !== undefined) query.set('after', String(after));
  const wanted = filterQuery(filter, world.now());
  for (const [name, value] of wanted) query.append(name, value);
  const { raw, data } = await client.get(`/api/v1/events?${query}`, eventListSchema);
  const names = new HostNames(client);
  if (follow) {
    const sent = (raw as { events: unknown[] }).events;
    for (const [at, event] of data.events.entries()) await printLine(session, event, sent[at], names);
    return followEvents(session, data.next, wanted, names);
  }
  if (json) printJson(raw);
  else if (data.events.length === 0) say('Nothing has happened.');
  else {
    await names.learn(data.events);
    print(eventTable(data.events, (id) => names.of(id), world.now(), tableWidth(world)));
  }
  return 0;
}

/** All that fits, as the server sends it. */
async function exportEvents(
  { client, world }: Session,
  { after, ...filter }: EventOptions,
  file: string,
): Promise<number> {
  const query = filterQuery(filter, world.now());
  query.set('after', String(after ?? 0));
  const out = await world.createFile(file);
  try {
    const { body } = await client.fetchLines(`/api/v1/events?${query}`);
    try {
      for await (const part of body ?? []) await out.write(part);
    } catch (error) {
      throw client.broken(error);
    }
    await out.finish();
  } finally {
    await out.discard();
  }
  return 0;
}

function filterQuery({ kind = [], since, until, ...rest }: EventFilter, now: number): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of ['host', 'by', 'actor', 'attempt'] as const) {
    const value = rest[name];
    if (value !== undefined) query.set(name, value);
  }
  for (const each of kind.flatMap((text) => text.split(','))) if (each !== '') query.append('kind', each);
  if (since !== undefined) query.set('since', timeOf(since, now));
  if (until !== undefined) query.set('until', timeOf(until, now));
  return query;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `6h` is six hours before now; anything else is for the server to read. */
function timeOf(text: string, now: number): string {
  const [, number, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  return number === undefined ? text : String(now - Number(number) * (UNITS[unit ?? ''] ?? 0));
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
  filter: URLSearchParams,
  names: HostNames,
): Promise<number> {
  const { client, world, say } = session;
  let after = from;
  let isAway = false;
  try {
    for (;;) {
      try {
        const query = new URLSearchParams([['after', String(after)], ...filter]);
        const headers = { 'last-event-id': String(after) };
        for await (const { event: kind, data } of client.events(`/api/v1/events?${query}`, headers)) {
          isAway = false;
          const missing = kind === 'gap' ? parsed(data, gapSchema) : null;
          if (missing) {
            say(`warmboot: events are missing after ${missing.after}: ${missing.reason}.`);
            after = missing.next - 1;
            continue;
          }
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
    const every = new URLSearchParams();
    const { data } = await everyPage(this.#client, '/api/v1/hosts', every, 'hosts', hostListSchema);
    for (const { id, mac } of data) this.#macs.set(id, mac);
    // One that was removed keeps its id, and is not asked for again.
    for (const { host } of unknown) if (host !== null && !this.#macs.has(host)) this.#macs.set(host, host);
  }
}
