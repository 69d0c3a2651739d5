import { isOpen } from './attempt.ts';
import type { Host, Observation, SlotObservation } from './host.ts';
import type { Report } from './report.ts';

const SPEAKS_FROM_OS = new Set<Report['kind']>(['booted', 'confirmed', 'rolled-back', 'staged', 'switching']);
const NAMES_WHAT_RUNS = new Set<Report['kind']>(['booted', 'confirmed', 'rolled-back']);

/** What the server believes of a machine after one more of its reports; nothing is inferred that it did not say. */
export function observe(host: Host, report: Report, now: number): Observation {
  const before = host.observation;
  const sameBoot = before?.bootId === report.bootId;
  const runs = NAMES_WHAT_RUNS.has(report.kind);
  return {
    bootId: report.bootId,
    seq: report.seq,
    environment: environment(host, report, sameBoot),
    slot: runs ? report.slot : sameBoot ? before.slot : null,
    digest: runs ? report.digest : sameBoot ? before.digest : null,
    bootDefault:
      report.bootDefault ?? (report.kind === 'installed' ? report.slot : before?.bootDefault) ?? null,
    slots: slotsAfter(before, report),
    disk: report.disk ?? before?.disk ?? null,
    trial: report.kind === 'confirmed' ? false : report.trial,
    at: now,
  };
}

function environment(host: Host, report: Report, sameBoot: boolean): Observation['environment'] {
  if (SPEAKS_FROM_OS.has(report.kind)) return 'os';
  if (report.kind === 'installed') return 'installer';
  if (sameBoot && host.observation) return host.observation.environment;
  // A boot that opens with an inventory or with progress: only an install is worked on from outside the OS.
  const installs = isOpen(host.attempt) && host.attempt.kind === 'install';
  return report.kind === 'inventory' || installs ? 'installer' : 'os';
}

function slotsAfter(before: Observation | null, report: Report): Readonly<Record<string, SlotObservation>> {
  // An install wrote a new partition table: nothing of the old slots is left.
  const slots = { ...(report.kind === 'installed' ? {} : before?.slots), ...report.slots };
  const wrote = report.kind === 'installed' || report.kind === 'staged';
  if (wrote && report.slot && report.digest && !report.slots?.[report.slot])
    slots[report.slot] = { state: 'valid', digest: report.digest };
  return slots;
}
