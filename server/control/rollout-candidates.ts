import { WarmbootError } from '../core/errors.ts';
import type { Candidate, Planned } from '../core/rollout-plan.ts';
import type { Choice } from '../core/rollout-port.ts';
import type { NewRollout } from '../core/rollout-use-cases.ts';
import { matchesSelector, parseSelector } from '../core/selector.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { Context } from './context.ts';
import { macOf } from './one-host.ts';

/**
 * The hosts that an operator means: by their labels in the order of enrolment, or by MAC in the order given. Those whose disk
 * cannot hold the image are left out.
 */
export async function candidatesFor(
  { store, layouts }: Context,
  wish: Pick<NewRollout, 'selector' | 'macs'>,
  ref: string,
  filesystemBytes: number,
  seenAt: (macs: readonly string[]) => number | null,
): Promise<{ readonly candidates: readonly Candidate[]; readonly leftOut: Planned['leftOut'] }> {
  const chosen = choose(await store.rollouts.choices(), wish);
  const reasons = new Map<string, string | null>();
  const refusalOf = (layoutName: string): string | null => {
    const known = reasons.get(layoutName);
    if (known !== undefined) return known;
    const refusal = roomRefusal(layoutName);
    reasons.set(layoutName, refusal);
    return refusal;
  };
  function roomRefusal(layoutName: string): string | null {
    const layout = layouts.get(layoutName);
    try {
      if (layout) requireRoom(ref, filesystemBytes, layout, layouts);
      return null;
    } catch (error) {
      if (error instanceof WarmbootError) return error.message;
      throw error;
    }
  }
  const leftOut = chosen.flatMap(({ macs, layout }) => {
    const reason = refusalOf(layout);
    return reason === null ? [] : [{ mac: macs[0] ?? '', reason }];
  });
  const candidates = chosen
    .filter(({ layout }) => refusalOf(layout) === null)
    .map(({ hostId, macs, status, runs, heardAt }) => ({
      hostId,
      mac: macs[0] ?? '',
      status,
      runs,
      seenAt: Math.max(seenAt(macs) ?? 0, heardAt ?? 0) || null,
    }));
  return { candidates, leftOut };
}

function choose(
  choices: readonly Choice[],
  { selector, macs }: Pick<NewRollout, 'selector' | 'macs'>,
): readonly Choice[] {
  if ((selector === undefined) === (macs === undefined))
    throw new WarmbootError('invalid', 'Say which hosts: either by a label selector, or by their MACs.');
  if (selector !== undefined) {
    const parsed = parseSelector(selector);
    if ('refused' in parsed)
      throw new WarmbootError('invalid', `The selector cannot be read: ${parsed.refused}.`);
    return choices.filter(({ labels }) => matchesSelector(parsed, labels));
  }
  const byMac = new Map(choices.flatMap((choice) => choice.macs.map((mac) => [mac, choice] as const)));
  const named = (macs ?? []).map((text) => {
    const choice = byMac.get(macOf(text));
    if (choice) return choice;
    throw new WarmbootError(
      'invalid',
      `No host has the MAC ${macOf(text)}. Enrol it first, or leave it out.`,
    );
  });
  return [...new Set(named)];
}
