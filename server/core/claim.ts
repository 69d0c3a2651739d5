import { hasReached, isOpen } from './attempt.ts';
import { type ClaimFacts, type ClaimMove, type ClaimTrigger, claimMove, claimState } from './claim-moves.ts';
import type { Claim, Host } from './host.ts';
import type { Patience } from './patience.ts';

/** Tokens that were taken away and are known if they come again; older ones are forgotten. */
const REFUSED_KEPT = 32;

/** The only way in which a claim changes: by a line of the table of moves. The same host where nothing moved. */
export function moveClaim(
  host: Host,
  on: Exclude<ClaimTrigger, 'claim'>,
  facts: ClaimFacts = {},
): { readonly host: Host; readonly move: ClaimMove } {
  const move = claimMove(host, on, facts);
  const { claim } = host.enrolment;
  if (claim === null || move.to === 'stays' || move.to === 'refused' || move.to === claim.standing)
    return { host, move };
  return { host: withClaim(host, { ...claim, standing: move.to, ...taken(claim, move.to) }), move };
}

/** What a claim that is taken makes of the one that was. */
export function claimedBy(host: Host, tokenHash: string, install: string): Host {
  const { claim } = host.enrolment;
  const state = claimState(host);
  return withClaim(host, {
    tokenHash,
    claimedFor: install,
    standing: 'new',
    // Nothing was heard of a claim that lapsed: what was good before it is what was good before this one too.
    before: state === 'used' ? (claim?.tokenHash ?? null) : (claim?.before ?? null),
    refused: claim?.refused ?? [],
  });
}

/** What an installer says it does before its token is on the disk. Other words may mean that it is. */
const BEFORE_THE_TOKEN = ['', 'files', 'partition'];

/**
 * Whether a machine that was claimed has lost its token: by all that it said the disk cannot have it yet, and nothing more was heard for
 * as long as a claim may take. A power cut would else lock it out of its own install.
 */
export function isLost(
  { enrolment, attempt, observation }: Host,
  now: number,
  { claimMs }: Patience,
): boolean {
  if (enrolment.held !== null || !isOpen(attempt) || hasReached(attempt, 'installed')) return false;
  const isBefore = BEFORE_THE_TOKEN.includes(attempt.progress?.phase ?? '');
  return isBefore && now >= Math.max(attempt.phaseAt, observation?.at ?? 0) + claimMs;
}

/**
 * Whether the installer of an open install may name a token, so that its order has to be shown to whoever asks.
 * @param lost whether the one that it was claimed with is, see {@link isLost}
 */
export function mayBeClaimed(host: Host, lost = false): boolean {
  const { attempt, enrolment } = host;
  if (attempt === null || attempt.outcome !== null || attempt.kind !== 'install') return false;
  return lost || enrolment.claim?.claimedFor !== attempt.id || !['new', 'used'].includes(claimState(host));
}

function taken(claim: Claim, to: Claim['standing']): Partial<Claim> {
  if (to === 'used') return { before: null };
  if (to !== 'released') return {};
  const gone = claim.before === null ? [claim.tokenHash] : [claim.before, claim.tokenHash];
  return { before: null, refused: [...claim.refused, ...gone].slice(-REFUSED_KEPT) };
}

function withClaim(host: Host, claim: Claim): Host {
  return { ...host, enrolment: { ...host.enrolment, claim } };
}
