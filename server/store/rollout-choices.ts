import type { Host } from '../core/host.ts';
import { memberHost } from '../core/rollout.ts';
import type { Choice } from '../core/rollout-port.ts';

/** A host with no more of it than it takes to choose it for a rollout. */
export function choiceOf({ enrolment, observation }: Host): Choice {
  const { runs, heardAt } = memberHost(enrolment, observation);
  const { id, macs, status, labels, layout } = enrolment;
  return { hostId: id, macs, status, labels, layout, runs, heardAt };
}
