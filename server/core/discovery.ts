import type { Inventory } from './inventory.ts';
import { isInSubnet } from './subnet.ts';

/** What becomes of a machine that nobody has enrolled. The first rule that fits decides; else `otherwise`. */
export type DiscoveryPolicy = {
  readonly rules: readonly DiscoveryRule[];
  readonly otherwise: 'hold' | 'ignore';
  /** A machine that waits and was not heard of for so long is forgotten. */
  readonly forgetAfterDays: number;
  /** So many may wait at once, ignored ones with them: strangers must not fill the database. */
  readonly maxWaiting: number;
};

export type DiscoveryRule = {
  readonly name: string;
  readonly match: RuleMatch;
  /** `hold`: wait for an operator. `enrol`: approve at once. `ignore`: leave it to its disk, and out of the list. */
  readonly action: DiscoveryAction;
  /** Of `enrol`. Without an image it is enrolled and waits for one. Never a leave to wipe: that is an operator's word. */
  readonly image?: string | undefined;
  readonly layout?: string | undefined;
  readonly profile?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
};
export type DiscoveryAction = 'hold' | 'enrol' | 'ignore';

/** All that is given must fit; nothing given fits every machine. Texts in any case, `*` stands for any characters. */
type RuleMatch = {
  readonly vendor?: string | undefined;
  readonly product?: string | undefined;
  /** Of the system or the board. */
  readonly serials?: readonly string[] | undefined;
  /** Of the address that it reports from, as `10.1.0.0/16`. */
  readonly subnet?: string | undefined;
  /** As `uname -m` says it: `x86_64`, `aarch64`. */
  readonly architecture?: string | undefined;
};

/** The policy with the number of its edition, which rises with each change; 0 is the one that nobody has set. */
export type PolicyEdition = { readonly version: number; readonly policy: DiscoveryPolicy };

export const FIRST_POLICY: PolicyEdition = {
  version: 0,
  policy: { rules: [], otherwise: 'hold', forgetAfterDays: 30, maxWaiting: 1000 },
};

/** `rule` is null where none fits, or an operator decided. */
export type DiscoveryDecision = {
  readonly action: DiscoveryAction;
  readonly rule: string | null;
  readonly reason: string;
};

/** What is known of a machine that waits. */
export type Discovered = { readonly facts: Inventory; readonly address: string };

/** @param seen null for a machine that has not said what it is */
export function decide(
  { rules, otherwise }: DiscoveryPolicy,
  seen: Discovered | null,
): DiscoveryDecision & { readonly by: DiscoveryRule | null } {
  if (seen === null)
    return {
      action: 'hold',
      rule: null,
      by: null,
      reason: 'it has not said what it is; the rules are asked when it does',
    };
  for (const rule of rules) {
    const why = fits(rule.match, seen);
    if (why === null) continue;
    const reason = `rule "${rule.name}" fits: ${why.join(', ') || 'it takes every machine'}`;
    const lost = rule.image === undefined ? undefined : systemOn(seen.facts);
    if (lost === undefined) return { action: rule.action, rule: rule.name, by: rule, reason };
    return {
      action: 'hold',
      rule: rule.name,
      by: null,
      reason: `${reason}; it waits all the same: disk ${lost} holds a system of Warmboot already, and only an operator may replace it`,
    };
  }
  return { action: otherwise, rule: null, by: null, reason: 'no rule fits' };
}

/**
 * A machine whose record was lost or removed, or one that is known by another of its cards: the installer takes its own disk
 * without a word of wiping, so a rule must not order it to.
 * @returns the name of the disk, or undefined
 */
function systemOn({ disks }: Inventory): string | undefined {
  return disks.find(({ content }) => content === 'warmboot')?.name;
}

/** @returns what fitted, in words, or null */
function fits(match: RuleMatch, { facts, address }: Discovered): string[] | null {
  const { system, board, architecture } = facts;
  const why: string[] = [];
  for (const [what, pattern, value] of [
    ['vendor', match.vendor, system.vendor],
    ['product', match.product, system.product],
    ['architecture', match.architecture, architecture],
  ] as const) {
    if (pattern === undefined) continue;
    if (value === null || !isLike(value, pattern)) return null;
    why.push(`${what} ${value}`);
  }
  if (match.serials !== undefined) {
    const wanted = new Set(match.serials.map((serial) => serial.toLowerCase()));
    const serial = [system.serial, board.serial].find(
      (each) => each !== null && wanted.has(each.toLowerCase()),
    );
    if (!serial) return null;
    why.push(`serial ${serial}`);
  }
  if (match.subnet !== undefined) {
    if (!isInSubnet(address, match.subnet)) return null;
    why.push(`address ${address} in ${match.subnet}`);
  }
  return why;
}

/** Without a regular expression: texts of strangers and patterns of operators meet here, and time must stay linear. */
function isLike(text: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.toLowerCase().split('*');
  let left = text.toLowerCase();
  if (rest.length === 0) return left === first;
  if (!left.startsWith(first)) return false;
  left = left.slice(first.length);
  const last = rest.pop() ?? '';
  for (const part of rest) {
    const at = left.indexOf(part);
    if (at < 0) return false;
    left = left.slice(at + part.length);
  }
  return left.endsWith(last);
}

const DAY_MS = 86_400_000;

/** When a machine that was heard of at `at` is forgotten, in milliseconds since 1970. */
export function forgetAt({ forgetAfterDays }: DiscoveryPolicy, at: number): number {
  return at + forgetAfterDays * DAY_MS;
}
