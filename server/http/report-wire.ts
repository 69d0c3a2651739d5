import type { z } from 'zod';
import type { reportSchema } from '../contract/host-plane.ts';
import type { Digest } from '../core/digest.ts';
import type { Report } from '../core/report.ts';

/** From the wire's report to the one that core judges: what the schema checked gets its type, the rest its default. */
export function reportOf(wire: z.infer<typeof reportSchema>): Report {
  const slots = wire.slots as Report['slots'] | undefined;
  return {
    attempt: wire.attempt,
    bootId: wire.bootId,
    seq: wire.seq,
    kind: wire.kind,
    slot: wire.slot,
    digest: wire.digest as Digest | null,
    bootDefault: wire.default,
    slots: slots ?? null,
    disk: wire.disk?.toLowerCase() ?? null,
    readOnly: wire.readOnly,
    trial: wire.trial ?? false,
    phase: wire.phase,
    bytesDone: wire.bytesDone,
    bytesTotal: wire.bytesTotal,
    reason: wire.reason,
    log: wire.log,
  };
}
