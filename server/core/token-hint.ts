import { mayBeClaimed } from './claim.ts';
import { claimMove, claimState } from './claim-moves.ts';
import type { Host } from './host.ts';

/** That somebody spoke as a host and brought a token. Whether it is the right one is for the host's records to say. */
export type TokenWord = {
  /** Sha256 of the token. */
  readonly tokenHash: string;
  /** Where it came from. */
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly at: number;
};

/**
 * For operators: the host asks with a token that is not its own by what is known here, so it is refused for ever, and none of its
 * records says so. Null: the last word was good, or an order is open that is shown without a token.
 * @param word the last one that came with a token
 */
export function tokenHint(host: Host, word: TokenWord | null): string | null {
  if (word === null || host.enrolment.status === 'retired' || mayBeClaimed(host)) return null;
  if (claimMove(host, 'word', { tokenHash: word.tokenHash }).to !== 'refused') return null;
  const [mac] = host.enrolment.macs;
  const isReleased = claimState(host) === 'released';
  const told = `its last word, at ${new Date(word.at).toISOString()} from ${word.address}, came with a token that`;
  const wrong = isReleased ? 'was taken away' : 'this server does not know';
  const cure = `${isReleased ? '' : `warmboot release ${mac}, then `}warmboot reinstall ${mac}`;
  return `${told} ${wrong}: it gets 401. If that is the machine itself: ${cure}. It may be a stranger: look at the address first.`;
}
