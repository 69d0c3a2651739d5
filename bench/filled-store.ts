import { join } from 'node:path';
import type { NewEvent } from '../server/core/events.ts';
import { type Host, newEnrolment } from '../server/core/host.ts';
import { parseMac } from '../server/core/mac.ts';
import { openDatabase } from '../server/store/database.ts';
import { sqliteStore } from '../server/store/store.ts';
import { storeRandomImages } from '../test/fixtures/random-images.ts';
import { MIGRATIONS } from '../test/fixtures/running-server.ts';

const IN_ONE_CHANGE = 1_000;
const RACKS = 50;
const KINDS = ['report', 'attempt-moved', 'assigned', 'attempt-ended'] as const;

/** Fills the database of a data folder with hosts that run one image, and events of theirs. */
export async function fillStore(dataDir: string, events: number, hosts: number): Promise<void> {
  const [image] = await storeRandomImages(dataDir, 2 ** 20);
  const store = sqliteStore(
    openDatabase(join(dataDir, 'warmboot.db'), MIGRATIONS, () => {}),
    Date.now,
  );
  const assignment = { ref: 'whole', digest: image.digest };
  for (let at = 0; at < hosts; at += IN_ONE_CHANGE)
    await store.change({}, () => ({
      answer: undefined,
      hosts: Array.from({ length: Math.min(IN_ONE_CHANGE, hosts - at) }, (_, i) =>
        hostOf(at + i, assignment),
      ),
    }));
  for (let at = 0; at < events; at += IN_ONE_CHANGE)
    await store.change({}, () => ({
      answer: undefined,
      events: Array.from({ length: IN_ONE_CHANGE }, (_, i) => eventOf(at + i, hosts)),
    }));
  store.close();
}

function hostOf(number: number, assignment: NonNullable<Host['enrolment']['assignment']>): Host {
  const mac = parseMac(macOf(number));
  if (!mac) throw new Error('no MAC');
  const enrolment = newEnrolment(`host-${String(number).padStart(6, '0')}`, [mac], Date.now());
  const labels = { rack: `r${number % RACKS}` };
  return {
    enrolment: { ...enrolment, status: 'approved', assignment, labels },
    attempt: null,
    observation: {
      bootId: `boot-${number}`,
      seq: 3,
      environment: 'os',
      slot: 'a',
      digest: assignment.digest,
      bootDefault: 'a',
      slots: { a: { state: 'modified', digest: assignment.digest } },
      disk: null,
      trial: false,
      wentBack: null,
      readOnly: false,
      at: Date.now(),
    },
  };
}

function eventOf(number: number, hosts: number): NewEvent {
  const host = number % hosts;
  return {
    kind: KINDS[number % 1000 === 0 ? 3 : number % 3] ?? 'report',
    hostId: `host-${String(host).padStart(6, '0')}`,
    attempt: `attempt-${host}`,
    actor: 'host',
    by: null,
    reason: 'the image runs and has to prove itself',
    data: { mac: macOf(host), phase: 'confirming', bootId: `boot-${host}`, seq: number % 7 },
  };
}

export function macOf(number: number): string {
  return `52:54:00:${[16, 8, 0].map((shift) => ((number >> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;
}
