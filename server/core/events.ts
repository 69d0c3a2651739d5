/** What can happen to a host or an image, for the append-only log. */
export const EVENT_KINDS = [
  'host-enrolled',
  'host-changed',
  'host-files-changed',
  'host-removed',
  'assigned',
  'attempt-began',
  'attempt-moved',
  'attempt-ended',
  'claimed',
  'claim-refused',
  'claim-released',
  'power-cycle-began',
  'power-cycled',
  'power-cycle-failed',
  'report',
  'report-stale',
  'discovered',
  'discovery-decided',
  'machine-changed',
  'merged',
  'merge-refused',
  'approved',
  'retired',
  'held',
  'resumed',
  'forgotten',
  'discovery-changed',
  'profile-changed',
  'profile-removed',
  'mirrors-changed',
  'image-stored',
  'image-removed',
  'image-damaged',
  'build-queued',
  'build-began',
  'build-ended',
  'rollout-began',
  'rollout-wave',
  'rollout-paused',
  'rollout-resumed',
  'rollout-aborted',
  'rollout-ended',
  'key-announced',
  'key-switched',
  'key-dropped',
  'token-created',
  'token-revoked',
  'webhook-added',
  'webhook-changed',
  'webhook-removed',
  'webhook-disabled',
  'webhook-lost',
  'backup-taken',
  'restored',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** One line of the log: who, what, when, why. `id` rises by one with each. */
export type NewEvent = {
  readonly kind: EventKind;
  readonly hostId: string | null;
  readonly attempt: string | null;
  readonly actor: 'operator' | 'host' | 'server';
  /** Name of the operator's token; null where it was none, and where it is not known any more. */
  readonly by: string | null;
  readonly reason: string;
  /** Facts for programs; no secrets. */
  readonly data: Readonly<Record<string, unknown>>;
};
export type Event = NewEvent & {
  readonly id: number;
  readonly at: number;
  /** The first MAC of the host as it is now; null for no host, and for one that is gone. */
  readonly mac: string | null;
};
