import { isOpen } from './attempt.ts';
import type { Claim, ClaimStanding, Host } from './host.ts';

/**
 * `none`: no token was ever named for the host. `void`: a claim that no report came with, whose install is over; worked out,
 * stored nowhere.
 */
export type ClaimState = ClaimStanding | 'none' | 'void';
export const CLAIM_STATES = [
  'none',
  'new',
  'used',
  'lapsed',
  'void',
  'released',
] as const satisfies readonly ClaimState[];

/** A token is named for an install; somebody asks or reports as the host; the time to report is over; an operator's word. */
export const CLAIM_TRIGGERS = ['claim', 'word', 'silence', 'release'] as const;
export type ClaimTrigger = (typeof CLAIM_TRIGGERS)[number];

export type ClaimFacts = {
  /** Sha256 of the token that came with it; null: none did. */
  readonly tokenHash?: string | null;
  /** The install that the claim is for. */
  readonly install?: string;
  /** The token that was named for it is on no disk, and nothing more was heard, see `isLost`. */
  readonly isLost?: boolean;
};

const CONDITIONS = {
  'an operator took this token away': (claim, { tokenHash }) =>
    claim?.refused.includes(tokenHash ?? '') === true,
  'it is for another install': (claim, { install }) => claim?.claimedFor !== install,
  'it is the same token': (claim, { tokenHash }) => claim?.tokenHash === tokenHash,
  'the one before was lost': (_, { isLost }) => isLost === true,
  'it is the token that was good before': (claim, { tokenHash }) =>
    claim !== null && claim.before !== null && claim.before === tokenHash,
} as const satisfies Record<string, (claim: Claim | null, facts: ClaimFacts) => boolean>;
export type ClaimCondition = keyof typeof CONDITIONS;

/** `stays`: allowed, and nothing changes. `refused`: it cannot be. */
export type ClaimMove = {
  readonly on: ClaimTrigger;
  readonly from: readonly ClaimState[];
  readonly when?: ClaimCondition;
  readonly to: ClaimStanding | 'stays' | 'refused';
  readonly reason: string;
};

const ANY = CLAIM_STATES;

/**
 * The moves of a claim: the first line that fits decides. A host that was claimed once never becomes one again for which
 * anybody may speak.
 */
export const CLAIM_MOVES: readonly ClaimMove[] = [
  {
    on: 'claim',
    from: ANY,
    when: 'an operator took this token away',
    to: 'refused',
    reason: 'an operator took this token away: make another',
  },
  { on: 'claim', from: ['none', 'void', 'released'], to: 'new', reason: 'the installer named its token' },
  {
    on: 'claim',
    from: ['new', 'used', 'lapsed'],
    when: 'it is for another install',
    to: 'new',
    reason: 'the installer of a later install named its token',
  },
  {
    on: 'claim',
    from: ['lapsed'],
    to: 'new',
    reason: 'the installer named its token, after one that was not heard of',
  },
  {
    on: 'claim',
    from: ['new', 'used'],
    when: 'it is the same token',
    to: 'stays',
    reason: 'this token holds the host already',
  },
  {
    on: 'claim',
    from: ['new', 'used'],
    when: 'the one before was lost',
    to: 'new',
    reason:
      'the installer named its token anew: the one before was on no disk yet, and nothing more was heard of it',
  },
  { on: 'claim', from: ['new', 'used'], to: 'refused', reason: 'another token holds this host' },

  {
    on: 'word',
    from: ['none'],
    to: 'stays',
    reason: 'a host that was never claimed is believed at its word',
  },
  {
    on: 'word',
    from: ['released'],
    to: 'refused',
    reason:
      'An operator took the token of this host away. Its next install makes another: order a reinstall.',
  },
  {
    on: 'word',
    from: ['new', 'used', 'lapsed'],
    when: 'it is the same token',
    to: 'used',
    reason: 'the token that claimed the host is used',
  },
  {
    on: 'word',
    from: ['lapsed', 'void'],
    when: 'it is the token that was good before',
    to: 'stays',
    reason: 'nothing was heard of the token that claimed the host: the one before is good until another does',
  },
  {
    on: 'word',
    from: ['new', 'used', 'lapsed', 'void'],
    to: 'refused',
    reason: 'The token is not the one that claimed this host. An operator can order a retry or a reinstall.',
  },

  { on: 'silence', from: ['new'], to: 'lapsed', reason: 'no report followed the claim: another may be made' },
  {
    on: 'silence',
    from: ['none', 'used', 'lapsed', 'void', 'released'],
    to: 'stays',
    reason: 'no claim waits for a report',
  },

  { on: 'release', from: ['new', 'used', 'lapsed', 'void'], to: 'released', reason: 'by an operator' },
  {
    on: 'release',
    from: ['none', 'released'],
    to: 'refused',
    reason: 'No token holds this host: there is nothing to release.',
  },
];

export function claimState({
  enrolment: { claim },
  attempt,
}: Pick<Host, 'enrolment' | 'attempt'>): ClaimState {
  if (claim === null) return 'none';
  const waits = claim.standing === 'new' || claim.standing === 'lapsed';
  const isOver = !isOpen(attempt) || attempt.id !== claim.claimedFor;
  return waits && isOver ? 'void' : claim.standing;
}

/** The line of the table that decides. */
export function claimMove(
  host: Pick<Host, 'enrolment' | 'attempt'>,
  on: ClaimTrigger,
  facts: ClaimFacts = {},
): ClaimMove {
  const [state, { claim }] = [claimState(host), host.enrolment];
  const found = CLAIM_MOVES.find(
    (move) =>
      move.on === on &&
      move.from.includes(state) &&
      (move.when === undefined || CONDITIONS[move.when](claim, facts)),
  );
  if (!found) throw new Error(`The table of moves says nothing of ${on} for a claim that is ${state}.`);
  return found;
}
