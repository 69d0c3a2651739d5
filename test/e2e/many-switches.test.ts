import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { askForFigures, type Figures, figuresOf } from './host-figures.ts';
import { image, newGuest, plan, startRack } from './support.ts';

/**
 * One machine that is switched to and fro for a long time and never goes through its firmware: each kernel was started by the one
 * before. What is lost in one jump, or left behind by one trial, adds up here.
 */

const SWITCHES = Number(process.env.WARMBOOT_TEST_SWITCHES ?? 50);
const IMAGES = ['debian-12', 'debian-13'] as const;

interface Round extends Figures {
  readonly image: string;
}

let rack: Rack;
beforeAll(async () => {
  if (runsAll()) rack = await startRack('many-switches', { patience: 8 });
});
afterAll(() => rack?.close());

/** What the server keeps of this host, by table. */
function rowsOf(mac: string): Record<string, number> {
  const db = new Database(join(plan().folder, 'many-switches/data/warmboot.db'), { readonly: true });
  try {
    const host = db.prepare('SELECT host_id FROM host_macs WHERE mac = ?').pluck().get(mac);
    const tables = db
      .prepare(
        "SELECT m.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' AND c.name = 'host_id'",
      )
      .pluck()
      .all() as string[];
    return Object.fromEntries(
      tables.map((table) => [
        table,
        db.prepare(`SELECT count(*) FROM ${table} WHERE host_id = ?`).pluck().get(host) as number,
      ]),
    );
  } finally {
    db.close();
  }
}

/** What no boot may change: all of it is the same in each boot of the same image. */
const SAME = [
  ...['kernel', 'root', 'slot', 'id', 'key', 'data', 'data-files', 'data-used', 'tainted', 'failed'],
  ...['reserved', 'map', 'efi-map', 'efi-variables', 'words', 'trial-words', 'recovered'],
  ...['state-files', 'state-bytes', 'state-used', 'boot-files', 'boot-bytes', 'boot-used', 'variables'],
];

/** What goes up and down by chance, and how much higher it may be at the end than at the beginning, as a share. */
const STEADY: Readonly<Record<string, number>> = {
  MemTotal: 0.0001,
  MemAvailable: 0.02,
  Slab: 0.05,
  SUnreclaim: 0.05,
  VmallocUsed: 0.05,
  KernelStack: 0.1,
  processes: 0.1,
  agent: 1,
  'run-files': 0.2,
  'run-bytes': 0.5,
  // The system's own: wtmp and the like.
  'slot-used': 0.01,
};

const LESS_IS_WORSE = ['MemTotal', 'MemAvailable'];

/** Of the server's tables those that get something by each switch, and how much at most. Its retention sees to the last two. */
const ROWS: Readonly<Record<string, number>> = { 'rows-attempts': 1, 'rows-reports': 3, 'rows-events': 10 };

const middle = (rounds: readonly Round[], name: string): number =>
  rounds.map((round) => Number(round[name])).toSorted((a, b) => a - b)[rounds.length >> 1] ?? Number.NaN;

/** @param rounds of one image, without the first, in which a slot is still new */
function judge(rounds: readonly Round[]): void {
  const [first, ...later] = rounds;
  const of = (round: Round | undefined) => Object.fromEntries(SAME.map((name) => [name, round?.[name]]));
  for (const round of later) expect(of(round)).toEqual(of(first));
  const some = Math.max(1, Math.min(5, rounds.length >> 1));
  for (const [name, share] of Object.entries(STEADY)) {
    const [before, after] = [middle(rounds.slice(0, some), name), middle(rounds.slice(-some), name)];
    const worse = LESS_IS_WORSE.includes(name) ? before - after : after - before;
    expect(worse, `${name} was ${before} in the first boots and ${after} in the last`).toBeLessThanOrEqual(
      before * share,
    );
  }
}

/** @param rounds of all images */
function judgeRows(rounds: readonly Round[]): void {
  const [first, last] = [rounds[0], rounds.at(-1)];
  for (const name of Object.keys(last ?? {}).filter((each) => each.startsWith('rows-')))
    expect(Number(last?.[name]) - Number(first?.[name]), name).toBeLessThanOrEqual(
      (ROWS[name] ?? 0) * (rounds.length - 1),
    );
}

test.runIf(runsAll())(
  `${SWITCHES} switches to and fro without a reset: no memory is lost, and nothing is left over on the host or the server`,
  async () => {
    const { guest, story } = await newGuest(rack, 'to-and-fro', { diskBytes: 40 * 1024 ** 3 });
    await story.enrol(image(IMAGES[0]), 'four-slots');
    // It is about what trials leave behind, not about how long one lasts.
    await rack.api.change(guest.mac, { trialSeconds: 3600 });
    await askForFigures(rack.api, guest.mac);
    const rounds: Round[] = [];
    const note = async (name: string, since: number) => {
      const seen = await figuresOf(rack.feed, guest, since, rack.patience(60));
      const rows = Object.entries(rowsOf(guest.mac)).map(([table, count]) => [
        `rows-${table}`,
        String(count),
      ]);
      rounds.push({ image: name, ...seen, ...Object.fromEntries(rows) });
      process.stderr.write(`    round ${rounds.length - 1}: ${JSON.stringify(rounds.at(-1))}\n`);
    };
    let since = rack.feed.mark();
    let before = await story.install(image(IMAGES[0]));
    await note(IMAGES[0], since);
    for (let round = 1; round <= SWITCHES; round += 1) {
      const to = IMAGES[round % 2] as string;
      since = rack.feed.mark();
      before = await story.reassign(image(to), { download: round === 1, before });
      const { attempt } = await rack.api.host(guest.mac);
      expect(attempt).toMatchObject({ outcome: 'succeeded', digest: image(to).digest });
      await note(to, since);
      // A trial leaves nothing behind that could act in a later one.
      const last = rounds.at(-1);
      expect(last?.variables).toBe(`default=${last?.slot},tries_a=3,tries_b=3`);
    }
    for (const name of IMAGES)
      judge(
        rounds
          .slice(1)
          .filter((round) => round.image === name)
          .slice(1),
      );
    judgeRows(rounds.slice(1));
  },
  SWITCHES * 8 * 60_000 + 30 * 60_000,
);
