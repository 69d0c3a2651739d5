/** How busy the server is with how many hosts; changes seldom, for each change is a new manifest for every host that asks. */
export type Fleet = {
  readonly hosts: number;
  /** It answers late. */
  readonly isPressed: boolean;
};

/** From so many hosts on: seconds between two looks of a host that is idle, and of one that somebody waits for. */
const STEPS = [
  { hosts: 4_000, idle: 60, busy: 15 },
  { hosts: 1_000, idle: 30, busy: 10 },
  { hosts: 0, idle: 15, busy: 5 },
] as const;

const MOST_SECONDS = 60;

/**
 * When a host asks again. It is told of changes at once where it can hold a question open (`?wait=`); this is how long it holds it,
 * and how long a host waits that cannot.
 * @param hasAttempt somebody waits for it
 */
export function pollSeconds(hasAttempt: boolean, { hosts, isPressed }: Fleet): number {
  const { idle, busy } = STEPS.find((step) => hosts >= step.hosts) ?? STEPS[2];
  const seconds = hasAttempt ? busy : idle;
  return isPressed ? Math.min(3 * seconds, MOST_SECONDS) : seconds;
}
