import type {
  RolloutHostView,
  RolloutPlanView,
  RolloutSummaryView,
  RolloutView,
} from '../contract/rollouts.ts';
import { duration } from '../words/quantity.ts';
import { relative } from './quantity.ts';
import { details, table } from './table.ts';
import { clean } from './text.ts';

type Counts = RolloutSummaryView['states'];

/** Hosts on their way. */
const MOVING = ['installing', 'staging', 'switching', 'confirming'] as const;

/** `12 of 40 there, 4 on their way, 1 failed`: what is none is not said. */
export function countsText(counts: Counts, hosts: number): string {
  const moving = MOVING.reduce((sum, state) => sum + counts[state], 0);
  const more = [
    [moving, 'on their way'],
    [counts.held, 'held'],
    [counts.failed, 'failed'],
    [counts['rolled-back'], 'rolled back'],
    [counts.skipped, 'skipped'],
  ] as const;
  const said = more.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return [`${counts.succeeded} of ${hosts} there`, ...said].join(', ');
}

/** `wave 2/4` */
export function wavePlace({ wave, waveCount }: Pick<RolloutSummaryView, 'wave' | 'waveCount'>): string {
  return `wave ${wave}/${waveCount}`;
}

function imageText(image: RolloutSummaryView['image'], rollbackOf: string | null): string {
  return image?.ref ?? `back, before ${rollbackOf}`;
}

export function rolloutTable(rollouts: readonly RolloutSummaryView[], now: number, fitTo?: number): string {
  return table(
    [
      { title: 'ROLLOUT' },
      { title: 'NAME', least: 6 },
      { title: 'IMAGE', least: 10 },
      { title: 'STATUS' },
      { title: 'WAVE' },
      { title: 'HOSTS', least: 16 },
      { title: 'BEGAN' },
    ],
    rollouts.map((rollout) => [
      rollout.id,
      rollout.name ?? '-',
      imageText(rollout.image, rollout.rollbackOf),
      rollout.status,
      `${rollout.wave}/${rollout.waveCount}`,
      countsText(rollout.states, rollout.hosts),
      relative(rollout.createdAt, now),
    ]),
    fitTo,
  );
}

export function rolloutDetails(rollout: RolloutView, now: number): string {
  const { image, rollbackOf, status, reason, why, states, hosts, soakUntil } = rollout;
  const limits = [
    `at most ${rollout.maxUnavailableHosts} on their way (${rollout.maxUnavailable})`,
    `pauses at ${rollout.failureLimit} failed (${rollout.failureThreshold})`,
    `soaks ${duration(rollout.soakSeconds * 1000)}`,
  ].join(', ');
  const rows: [string, string][] = [
    ['rollout', rollout.name === null ? rollout.id : `${rollout.id} (${rollout.name})`],
    ['image', image ? `${image.ref} (${image.digest})` : imageText(image, rollbackOf)],
    ['status', status],
    ['now', reason],
    ['hosts', `${countsText(states, hosts)}; ${rollout.unavailable} unavailable`],
    ['limits', limits],
    ['began', relative(rollout.createdAt, now)],
  ];
  if (why !== '') rows.splice(1, 0, ['reason', why]);
  if (soakUntil !== null) rows.push(['soaks until', relative(soakUntil, now)]);
  if (rollout.endedAt !== null) rows.push(['ended', relative(rollout.endedAt, now)]);
  const waves = table(
    [
      { title: 'WAVE', align: 'right' },
      { title: 'UP TO', align: 'right' },
      { title: 'STATUS' },
      { title: 'HOSTS' },
    ],
    rollout.waves.map((wave, at) => [
      String(at + 1),
      String(wave.upTo),
      wave.status,
      countsText(wave.states, wave.hosts),
    ]),
  );
  return `${details(rows)}\n${waves}`;
}

export function rolloutHostTable(hosts: readonly RolloutHostView[], now: number, fitTo?: number): string {
  return table(
    [
      { title: 'HOST' },
      { title: 'WAVE', align: 'right' },
      { title: 'STATE' },
      { title: 'SEEN' },
      { title: 'BEFORE', least: 8 },
      { title: 'REASON', least: 16 },
    ],
    hosts.map(({ mac, wave, state, lastSeen, before, reason }) => [
      mac,
      String(wave),
      state,
      relative(lastSeen, now),
      before?.ref ?? '-',
      reason || '-',
    ]),
    fitTo,
  );
}

export function planText({ image, hosts, waves, leftOut, maxUnavailableHosts }: RolloutPlanView): string {
  const rows = waves.map(({ upTo, hosts: size, macs }, at) => [
    String(at + 1),
    String(upTo),
    String(size),
    macs.length > 3 ? `${macs.slice(0, 3).join(', ')} and ${macs.length - 3} more` : macs.join(', '),
  ]);
  const plan = table(
    [
      { title: 'WAVE', align: 'right' },
      { title: 'UP TO', align: 'right' },
      { title: 'HOSTS', align: 'right' },
      { title: 'WHICH' },
    ],
    rows,
  );
  const out = leftOutLines(leftOut).map((line) => `${line}\n`);
  const what = clean(image?.ref ?? 'what they ran');
  return `${hosts} ${hosts === 1 ? 'host' : 'hosts'} to ${what}, at most ${maxUnavailableHosts} at once:\n${plan}${out.join('')}`;
}

/** A line for each host that was meant and does not take part. */
export function leftOutLines(leftOut: RolloutPlanView['leftOut']): string[] {
  return leftOut.map(({ mac, reason }) => clean(`left out: ${mac}: ${reason}`));
}

/** For the end of a sentence: nothing where nobody is left out. */
export function leftOutCount(leftOut: RolloutPlanView['leftOut']): string {
  return leftOut.length === 0 ? '' : `, ${leftOut.length} left out`;
}
