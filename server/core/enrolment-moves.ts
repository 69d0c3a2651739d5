import { WarmbootError } from './errors.ts';
import type { Enrolment, EnrolmentStatus } from './host.ts';

/** `unknown`: there is no record. */
export type EnrolmentState = EnrolmentStatus | 'unknown';

/** What can move an enrolment, and what asks whether it may. */
export const ENROLMENT_TRIGGERS = [
  'enrol',
  'inventory',
  'rule: hold',
  'rule: ignore',
  'rule: enrol',
  'approve',
  'ignore',
  'wait',
  'forget',
  'merge',
  'join',
  'gain',
  'order',
  'hold',
  'resume',
  'file',
  'claim',
  'report',
  'retire',
  'remove',
] as const;
export type EnrolmentTrigger = (typeof ENROLMENT_TRIGGERS)[number];

export type EnrolmentMove = {
  readonly on: readonly EnrolmentTrigger[];
  readonly from: readonly EnrolmentState[];
  readonly to: EnrolmentState | 'stays' | 'refused';
  /** Why it moves; of a refusal, what is told: it goes on after the host's name. */
  readonly reason: string;
};

/** The moves of an enrolment. Each trigger has one line in each state, which a test holds. */
export const ENROLMENT_MOVES: readonly EnrolmentMove[] = [
  { on: ['enrol'], from: ['unknown'], to: 'approved', reason: 'an operator enrolled it' },
  { on: ['inventory'], from: ['unknown'], to: 'discovered', reason: 'it said what it is' },
  {
    on: ['enrol'],
    from: ['discovered', 'ignored'],
    to: 'refused',
    reason: 'was discovered already. Approve it: POST /api/v1/hosts/MAC/approve, or warmboot approve MAC.',
  },
  {
    on: ['enrol'],
    from: ['approved'],
    to: 'refused',
    reason: 'is enrolled already. Change that host, or remove it first.',
  },
  {
    on: ['enrol'],
    from: ['retired'],
    to: 'refused',
    reason: 'was retired. Let it take part again with POST /api/v1/hosts/MAC/approve, or remove it first.',
  },
  {
    on: ['inventory'],
    from: ['discovered', 'ignored', 'approved'],
    to: 'stays',
    reason: 'it said what it is once more',
  },
  { on: ['rule: hold'], from: ['discovered', 'ignored'], to: 'discovered', reason: 'the rules let it wait' },
  {
    on: ['rule: ignore'],
    from: ['discovered', 'ignored'],
    to: 'ignored',
    reason: 'the rules leave it to its disk',
  },
  {
    on: ['rule: enrol'],
    from: ['discovered', 'ignored'],
    to: 'approved',
    reason: 'a rule lets it take part',
  },
  {
    on: ['approve'],
    from: ['discovered', 'ignored', 'retired'],
    to: 'approved',
    reason: 'an operator lets it take part',
  },
  {
    on: ['approve', 'ignore', 'wait'],
    from: ['approved'],
    to: 'refused',
    reason: 'is approved already. PATCH changes what is said of it, PUT …/os its image.',
  },
  {
    on: ['ignore'],
    from: ['discovered', 'ignored'],
    to: 'ignored',
    reason: 'an operator leaves it to its disk',
  },
  {
    on: ['wait'],
    from: ['discovered', 'ignored'],
    to: 'discovered',
    reason: 'an operator lets it wait again',
  },
  {
    on: ['ignore', 'wait'],
    from: ['retired'],
    to: 'refused',
    reason: 'is retired: it is told nothing. Approve it to let it take part again, or remove it.',
  },
  { on: ['forget'], from: ['discovered', 'ignored'], to: 'unknown', reason: 'nobody approved it in time' },
  {
    on: ['merge'],
    from: ['discovered', 'ignored'],
    to: 'unknown',
    reason: 'it is another card of a known machine',
  },
  {
    on: ['join'],
    from: ['discovered', 'ignored'],
    to: 'unknown',
    reason: 'an operator says which host it is',
  },
  {
    on: ['join'],
    from: ['approved', 'retired'],
    to: 'refused',
    reason: 'is a host of its own. Remove it first, and let its machine be discovered anew.',
  },
  {
    on: ['gain'],
    from: ['approved'],
    to: 'stays',
    reason: 'an operator says that a machine which waits is this host',
  },
  {
    on: ['gain'],
    from: ['discovered', 'ignored'],
    to: 'refused',
    reason: 'is no host yet: it waits for approval itself.',
  },
  {
    on: ['gain'],
    from: ['retired'],
    to: 'refused',
    reason: 'is retired: it is told nothing. Approve it first.',
  },
  {
    on: ['forget', 'merge', 'rule: hold', 'rule: ignore', 'rule: enrol'],
    from: ['approved', 'retired'],
    to: 'refused',
    reason: 'was approved by an operator: no rule and no inventory decides on it.',
  },
  { on: ['order'], from: ['approved'], to: 'stays', reason: 'an operator gives it an image' },
  { on: ['hold'], from: ['approved'], to: 'stays', reason: 'an operator holds back its orders' },
  { on: ['resume'], from: ['approved'], to: 'stays', reason: 'an operator lets its orders go on' },
  {
    on: ['hold', 'resume'],
    from: ['discovered', 'ignored', 'retired'],
    to: 'refused',
    reason: 'does not take part, so there are no orders to hold. Approve it first.',
  },
  { on: ['file'], from: ['approved'], to: 'stays', reason: 'an operator gives it a file of its own' },
  {
    on: ['file'],
    from: ['discovered', 'ignored', 'retired'],
    to: 'refused',
    reason:
      'does not take part, so it gets no files. Approve it without an image, give it its files, then assign an image.',
  },
  {
    on: ['order'],
    from: ['discovered', 'ignored'],
    to: 'refused',
    reason: 'waits for approval: it takes no image. Approve it first.',
  },
  {
    on: ['order'],
    from: ['retired'],
    to: 'refused',
    reason: 'is retired: it takes no image. Approve it first.',
  },
  { on: ['claim', 'report'], from: ['approved'], to: 'stays', reason: 'the host speaks' },
  {
    on: ['claim', 'report'],
    from: ['discovered', 'ignored'],
    to: 'refused',
    reason: 'waits for approval: nothing but its inventory is taken.',
  },
  {
    on: ['claim', 'report', 'inventory'],
    from: ['retired'],
    to: 'refused',
    reason:
      'is retired: nothing is taken from it, and its token is worth nothing. An operator can approve it again.',
  },
  { on: ['retire'], from: ['approved'], to: 'retired', reason: 'an operator took it out of service' },
  { on: ['retire'], from: ['retired'], to: 'stays', reason: 'it is retired already' },
  {
    on: ['retire'],
    from: ['discovered', 'ignored'],
    to: 'refused',
    reason: 'never took part. Ignore it, or remove it.',
  },
  {
    on: ['remove'],
    from: ['discovered', 'ignored', 'approved', 'retired'],
    to: 'unknown',
    reason: 'an operator removed it with all that is known of it',
  },
  {
    on: [
      'rule: hold',
      'rule: ignore',
      'rule: enrol',
      'approve',
      'ignore',
      'wait',
      'forget',
      'merge',
      'join',
      'gain',
      'order',
      'hold',
      'resume',
      'file',
      'claim',
      'report',
      'retire',
      'remove',
    ],
    from: ['unknown'],
    to: 'refused',
    reason: 'is no host. Enrol it with POST /api/v1/hosts.',
  },
];

export function enrolmentMove(from: EnrolmentState, on: EnrolmentTrigger): EnrolmentMove {
  const found = ENROLMENT_MOVES.find((move) => move.from.includes(from) && move.on.includes(on));
  if (!found) throw new Error(`The table of moves says nothing of ${on} for a host that is ${from}.`);
  return found;
}

/** Whether the table lets `on` happen to a host. */
export function mayMove({ status }: Pick<Enrolment, 'status'>, on: EnrolmentTrigger): boolean {
  return enrolmentMove(status, on).to !== 'refused';
}

/** @throws WarmbootError `conflict`, in the table's words, when it cannot be */
export function requireMove(
  { status, macs }: Pick<Enrolment, 'status' | 'macs'>,
  on: EnrolmentTrigger,
): void {
  const { to, reason } = enrolmentMove(status, on);
  if (to === 'refused') throw new WarmbootError('conflict', `${macs.join(', ')} ${reason}`);
}

/**
 * The enrolment with the status that the table gives it.
 * @throws WarmbootError `conflict`, in the table's words, when it cannot be
 */
export function moveEnrolment(enrolment: Enrolment, on: EnrolmentTrigger): Enrolment {
  requireMove(enrolment, on);
  const { to } = enrolmentMove(enrolment.status, on);
  if (to === 'unknown') throw new Error(`${on} removes the host.`);
  return to === 'stays' || to === 'refused' ? enrolment : { ...enrolment, status: to };
}
