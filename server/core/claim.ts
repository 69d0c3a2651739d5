import { type ClaimFacts, type ClaimMove, type ClaimTrigger, claimMove, claimState } from './claim-moves.ts';
import type { Claim, Host } from './host.ts';

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

/** Whether the installer of an open install may name a token, so that its order has to be shown to whoever asks. */
export function mayBeClaimed(host: Host): boolean {
  const { attempt, enrolment } = host;
  if (attempt === null || attempt.outcome !== null || attempt.kind !== 'install') return false;
  return enrolment.claim?.claimedFor !== attempt.id || !['new', 'used'].includes(claimState(host));
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
