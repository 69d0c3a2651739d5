import type { BuildView } from '../contract/builds.ts';
import type { EventView } from '../contract/events.ts';
import type { HostView } from '../contract/hosts.ts';
import type { ImageView } from '../contract/images.ts';
import type { InventoryView } from '../contract/inventory.ts';
import type { Attempt } from '../core/attempt.ts';
import type { BuildRecord } from '../core/build-ports.ts';
import type { Event } from '../core/events.ts';
import type { Host, Observation } from '../core/host.ts';
import { hostState } from '../core/host-state.ts';
import type { ImageIndex } from '../core/image-index.ts';
import type { NextStep } from '../core/next-step.ts';
import type { InventoryRecord, StoredImage } from '../core/ports.ts';
import { type TokenWord, tokenHint } from '../core/token-hint.ts';

/** From the core's records to what the admin API shows. */

export function attemptView({
  ref,
  rolloutId,
  hostId: _,
  wipe: __,
  fresh: ___,
  workBootId: ____,
  workDisk: _____,
  ...attempt
}: Attempt) {
  return { ...attempt, image: ref, rollout: rolloutId };
}

function observationView({ bootDefault, slots, ...seen }: Observation) {
  return { ...seen, default: bootDefault, slots: { ...slots } };
}

/** What is known of a host beside its records, in memory. */
export type Heard = { readonly lastSeen: number | null; readonly word: TokenWord | null };

export function hostView(host: Host, step: NextStep, { lastSeen, word }: Heard): HostView {
  const { enrolment, attempt, observation } = host;
  const { claim, diskRule, switchMode, status, assignment, macs, ...rest } = enrolment;
  const { wipe: _, byHand: __, forgetAt: ___, rateBytes, origins, ...shown } = rest;
  return {
    ...shown,
    mac: macs[0] ?? '',
    macs: [...macs],
    labels: { ...enrolment.labels },
    state: hostState(host),
    enrolment: status,
    image: assignment && { ...assignment },
    disk: diskRule,
    switch: switchMode,
    rate: rateBytes,
    from: {
      layout: origins.layout ?? 'default',
      disk: origins.diskRule ?? 'default',
      append: origins.append ?? 'default',
      switch: origins.switchMode ?? 'default',
      trialSeconds: origins.trialSeconds ?? 'default',
      rate: origins.rateBytes ?? 'default',
      readBack: origins.readBack ?? 'default',
    },
    claimed: claim !== null && claim.standing !== 'released' && status !== 'retired',
    attempt: attempt && attemptView(attempt),
    observation: observation && observationView(observation),
    next: {
      action: step.action,
      reason: step.reason,
      until: step.until,
      hint: tokenHint(host, word),
      slot: step.slot,
    },
    lastSeen: Math.max(lastSeen ?? 0, observation?.at ?? 0) || null,
  };
}

export function inventoryView(record: InventoryRecord | null): InventoryView | null {
  if (record === null) return null;
  const { facts, at, address } = record;
  return { at, address, ...facts, disks: [...facts.disks], nics: [...facts.nics] };
}

export function imageView(image: StoredImage, index: ImageIndex | null): ImageView {
  return {
    digest: image.digest,
    kind: image.kind,
    tags: tagsOf(image),
    os: index?.os.name ?? '',
    kernel: index?.kernel.release ?? '',
    filesystemBytes: index?.filesystem?.bytes ?? null,
    dataBytes: image.dataBytes,
    chunks: index?.chunks.length ?? 0,
    damaged: image.missingChunks > 0 || image.filesDamaged,
    createdAt: image.createdAt,
  };
}

export function tagsOf({ tags }: StoredImage): string[] {
  return tags.map(({ name, tag }) => `${name}:${tag}`);
}

export function buildView({ checks, ...build }: BuildRecord): BuildView {
  const failed = checks?.failed.map((each) => ({ ...each })) ?? [];
  return { ...build, checks: checks && { passed: [...checks.passed], failed } };
}

export function eventView({ hostId, ...event }: Event): EventView {
  return { ...event, host: hostId, data: { ...event.data } };
}
