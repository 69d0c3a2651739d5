import { type HostView, hostDetailSchema } from '../contract/hosts.ts';
import { bytes, duration, percent } from '../words/quantity.ts';
import { type AttemptView, attemptsOf } from './attempt.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { labelText } from './hosts.ts';
import { ImageNames } from './image-names.ts';
import { inventoryPage } from './inventory.ts';
import { relative } from './quantity.ts';
import { tableWidth } from './session.ts';
import { details, table } from './table.ts';
import { indent } from './text.ts';
import { type View, WATCH_HELP, watch, watchNeeds } from './watch.ts';

/** So many attempts are shown, the newest ones. */
const ATTEMPTS_SHOWN = 10;

export function addHost({ program, run }: Cli): void {
  program
    .command('host')
    .description('Show one host: what it shall run, does and runs, its slots, attempts and hardware.')
    .argument('<mac>', 'any MAC of the host')
    .option('--watch', WATCH_HELP)
    .action((mac: string, { watch: isWatched }: { watch?: boolean }) =>
      run(watchNeeds(isWatched), async (session) => {
        const { client, json, print, printJson, world } = session;
        const path = `/api/v1/hosts/${segment(mac)}`;
        const page = async (host: HostView) => {
          const attempts = await attemptsOf(client, mac);
          const names = await ImageNames.for([host], client);
          return hostPage(host, attempts, names, world.now(), tableWidth(world));
        };
        if (isWatched) {
          const load = async (): Promise<View> => {
            const { raw, data: host } = await client.get(path, hostDetailSchema);
            const does = host.attempt?.outcome === null ? `${host.attempt.phase}: ` : '';
            const line = [host.mac, host.state, host.image?.ref ?? '-', `${does}${host.next.reason}`].join(
              '  ',
            );
            return { text: world.stdout.isTTY ? await page(host) : '', rows: [{ key: host.mac, line, raw }] };
          };
          return watch(session, load, new URLSearchParams({ host: mac }));
        }
        const { raw, data } = await client.get(path, hostDetailSchema);
        if (json) {
          printJson(raw);
          return 0;
        }
        print(await page(data));
        if (data.inventory) print(`\n${inventoryPage(data.inventory, world.now(), tableWidth(world))}`);
        return 0;
      }),
    );
}

/** The three records of a host, then its slots, then its attempts. */
function hostPage(
  host: HostView,
  attempts: readonly AttemptView[],
  names: ImageNames,
  now: number,
  fitTo?: number,
): string {
  const parts = [
    details([
      ['host', host.macs.join(', ')],
      ['state', host.state],
      [
        'next step',
        `${host.next.action}${host.next.slot === null ? '' : ` ${host.next.slot}`}: ${host.next.reason}`,
      ],
      ['until', host.next.until],
      ...(host.next.hint ? [['but', host.next.hint] as const] : []),
      ['seen', relative(host.lastSeen, now)],
    ]),
    `Enrolment\n${indent(enrolment(host, now))}`,
    `Attempt\n${indent(attemptDetails(host.attempt, now))}`,
    `Observation\n${indent(observation(host, names, now))}`,
  ];
  const slots = slotTable(host, names, fitTo);
  if (slots !== null) parts.push(`Slots\n${indent(slots)}`);
  if (attempts.length > 0) parts.push(`Attempts\n${indent(attemptTable(attempts, now, fitTo))}`);
  return parts.join('\n');
}

function enrolment(host: HostView, now: number): string {
  const origin = (name: keyof HostView['from']) => (host.from[name] === 'profile' ? '  (profile)' : '');
  return details([
    ['status', `${host.enrolment}, enrolled ${relative(host.createdAt, now)}`],
    ['revision', String(host.revision)],
    ['image', host.image === null ? 'none' : `${host.image.ref}  ${host.image.digest}`],
    ['profile', host.profile ?? 'none'],
    ['layout', host.layout + origin('layout')],
    ['disk', host.disk + origin('disk')],
    ['switch', host.switch + origin('switch')],
    [
      'trial',
      host.trialSeconds === null
        ? "the server's own"
        : duration(host.trialSeconds * 1000) + origin('trialSeconds'),
    ],
    ['rate', host.rate === null ? 'no limit' : `${bytes(host.rate)}/s while it stages${origin('rate')}`],
    ['readback', `${host.readBack === false ? 'no' : 'yes'}${origin('readBack')}`],
    ['files', filesText(host)],
    ['append', (host.append || '-') + origin('append')],
    ['labels', labelText(host.labels) || '-'],
    ['token', host.claimed ? 'claimed' : 'none'],
  ]);
}

function filesText({ mac, files, observation }: HostView): string {
  const running = observation?.environment === 'os' ? observation.slots[observation.slot ?? ''] : undefined;
  const has = running?.files;
  const isLate = has !== undefined && has !== (files?.sha256 ?? null);
  const later = isLate
    ? '; what runs has those of before until the next switch or install (assign --fresh)'
    : '';
  return (files ? `${bytes(files.bytes)} as a tar; warmboot file list ${mac}` : 'none') + later;
}

function attemptDetails(attempt: AttemptView | null, now: number): string {
  if (attempt === null) return 'none so far\n';
  const { progress } = attempt;
  const lines: [string, string][] = [
    ['id', attempt.id],
    ['order', `${attempt.kind} ${attempt.image} (${attempt.cause}), ${relative(attempt.createdAt, now)}`],
    attempt.outcome === null
      ? ['phase', `${attempt.phase}, for ${duration(now - attempt.phaseAt)}`]
      : ['outcome', `${attempt.outcome} in phase ${attempt.phase}, ${relative(attempt.endedAt, now)}`],
  ];
  lines.push(['reason', attempt.reason || '-']);
  if (attempt.outcome === null && progress !== null && progress.bytesTotal > 0)
    lines.push([
      'progress',
      `${progress.phase}: ${percent(progress.bytesDone, progress.bytesTotal)}% of ${bytes(progress.bytesTotal)}`,
    ]);
  if (attempt.outcome === null)
    lines.push(['deadline', attempt.deadline === null ? 'none' : relative(attempt.deadline, now)]);
  return details(lines);
}

function observation(host: HostView, names: ImageNames, now: number): string {
  const { observation: seen } = host;
  if (seen === null) return 'the host has not said anything yet\n';
  return details([
    [
      'runs',
      seen.environment === 'installer'
        ? 'the installer'
        : `slot ${seen.slot ?? '?'}: ${names.of(seen.digest, host) ?? 'no image of ours'}`,
    ],
    ['trial', seen.trial ? 'yes' : 'no'],
    ['default', seen.default === null ? '-' : `slot ${seen.default}`],
    ['disk', `${seen.disk ?? '-'}${seen.readOnly ? ', takes no writes any more' : ''}`],
    ['boot', seen.bootId],
    ['said', `${relative(seen.at, now)}, report ${seen.seq} of this boot`],
  ]);
}

/** A drawing of the disk: `>` stands before the slot that runs. */
function slotTable(host: HostView, names: ImageNames, fitTo?: number): string | null {
  const { observation: seen, next } = host;
  const slots = Object.entries(seen?.slots ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  if (seen === null || slots.length === 0) return null;
  return table(
    [{ title: ' SLOT' }, { title: 'STATE' }, { title: 'IMAGE', least: 12 }, { title: '', least: 12 }],
    slots.map(([name, slot]) => {
      const runs = seen.environment === 'os' && seen.slot === name;
      const notes = [
        runs ? (seen.trial ? 'runs on trial' : 'runs') : null,
        seen.default === name ? 'boot default' : null,
        next.slot === name && ['install', 'stage', 'switch'].includes(next.action)
          ? `next: ${next.action}`
          : null,
      ];
      return [
        `${runs ? '>' : ' '}${name}`,
        slot.state,
        names.of(slot.digest, host) ?? '-',
        notes.filter((note) => note !== null).join(', '),
      ];
    }),
    fitTo === undefined ? undefined : fitTo - 2,
  );
}

function attemptTable(attempts: readonly AttemptView[], now: number, fitTo?: number): string {
  const shown = attempts.slice(-ATTEMPTS_SHOWN).reverse();
  return table(
    [
      { title: 'BEGUN' },
      { title: 'KIND' },
      { title: 'IMAGE', least: 10, isDear: true },
      { title: 'OUTCOME' },
      { title: 'TOOK', align: 'right' },
      { title: 'REASON', least: 12 },
    ],
    shown.map((attempt) => [
      relative(attempt.createdAt, now),
      attempt.kind,
      attempt.image,
      attempt.outcome ?? `${attempt.phase} …`,
      duration((attempt.endedAt ?? now) - attempt.createdAt),
      attempt.reason || '-',
    ]),
    fitTo === undefined ? undefined : fitTo - 2,
  );
}
