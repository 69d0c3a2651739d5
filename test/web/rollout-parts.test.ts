import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RolloutHostView, RolloutView } from '../../server/contract/rollouts.ts';
import { MEMBER_STATES } from '../../server/core/rollout-member.ts';
import { effectsOfAbort, effectsOfResume, effectsOfRollback } from '../../server/web/rollouts/effects.ts';
import { withHostLinks } from '../../server/web/rollouts/names.ts';
import { nextOf } from '../../server/web/rollouts/next.ts';
import { bar, countsText, scaled, sharesOf, stair } from '../../server/web/rollouts/shares.ts';
import { leftOutOf } from '../../server/web/rollouts/story.ts';

type Counts = RolloutView['states'];
const counts = (some: Partial<Counts> = {}): Counts => ({
  ...(Object.fromEntries(MEMBER_STATES.map((state) => [state, 0])) as Counts),
  ...some,
});
const wave = (hosts: number, states: Partial<Counts> = { waiting: hosts }) => ({
  upTo: hosts,
  hosts,
  status: 'works' as const,
  states: counts(states),
});
const rollout = (facts: Partial<RolloutView> = {}) =>
  ({
    status: 'running',
    wave: 1,
    waveCount: 2,
    waves: [wave(1), wave(39)],
    states: counts({ waiting: 40 }),
    soakUntil: null,
    soakSeconds: 300,
    failureLimit: 2,
    ...facts,
  }) as RolloutView;

describe('where the hosts are', () => {
  test('every state belongs to one share', () => {
    const each = MEMBER_STATES.map((state) => sharesOf(counts({ [state]: 1 })));
    expect(each.map((shares) => shares.reduce((sum, { hosts }) => sum + hosts, 0))).toEqual(
      MEMBER_STATES.map(() => 1),
    );
  });
  test('in words', () => {
    const some = counts({
      succeeded: 12,
      staging: 1,
      confirming: 3,
      failed: 1,
      'rolled-back': 2,
      waiting: 21,
    });
    expect(countsText(some, 40)).toBe('12 of 40 there, 4 on their way, 1 failed, 2 rolled back');
  });
  test('drawn: widths add up, and what is one of many is seen', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { minLength: 1, maxLength: 7 }), (sizes) => {
        const present = sizes.filter((size) => size > 0);
        const widths = scaled(present, 1000, 8);
        const sum = widths.reduce((all, width) => all + width, 0);
        expect(Math.abs(sum - (present.length === 0 ? 0 : 1000))).toBeLessThan(0.1);
        for (const width of widths) expect(width).toBeGreaterThanOrEqual(8);
      }),
    );
    expect(scaled([0, 0], 1000, 8)).toEqual([0, 0]);
    expect(String(bar(counts({ succeeded: 9999, failed: 1 })))).toContain('share-failed');
    expect(String(bar(counts()))).not.toContain('share-there');
  });
  test('each wave begins where the one before it ends', () => {
    const [first, second] = stair([wave(10), wave(30)]).map(String);
    expect(first).toContain('x="0" y="6" width="250"');
    expect(second).toContain('x="250" y="6" width="750"');
  });
});

describe('what comes next', () => {
  test.each<[string, Partial<RolloutView>, string, number | null]>([
    [
      'a wave works',
      {},
      'When wave 1 is over it soaks for 5 min, then wave 2 of 2 begins, with 39 hosts more. It pauses at 2 failed.',
      null,
    ],
    ['no rest', { soakSeconds: 0 }, 'goes on at once', null],
    ['a wave soaks', { soakUntil: 77 }, 'Wave 1 is over and soaks; then wave 2 of 2 begins', 77],
    ['the last wave', { wave: 2 }, 'This is the last wave', null],
    [
      'paused',
      { status: 'paused', states: counts({ staging: 2 }) },
      '2 hosts on the way come to their end.',
      null,
    ],
    ['aborting', { status: 'aborting' }, 'are taken back', null],
  ])('%s', (_, facts, said, at) => {
    const next = nextOf(rollout(facts));
    expect([next?.text.includes(said) && said, next?.at]).toEqual([said, at]);
  });
  test('nothing, once it is over', () => {
    expect([nextOf(rollout({ status: 'finished' })), nextOf(rollout({ status: 'aborted' }))]).toEqual([
      null,
      null,
    ]);
  });
});

describe('what a deed will do', () => {
  const image = { ref: 'two:latest', digest: `sha256:${'2'.repeat(64)}` };
  const before = { ref: 'one:latest', digest: `sha256:${'1'.repeat(64)}` };
  const host = (mac: string, facts: Partial<RolloutHostView> = {}) =>
    ({
      host: mac,
      mac,
      wave: 1,
      state: 'succeeded',
      reason: '',
      attempt: 'a',
      image,
      before,
      lastSeen: null,
      ...facts,
    }) as RolloutHostView;
  const told = (effects: readonly { text: string; hosts: readonly RolloutHostView[] }[]) =>
    effects.map(({ text, hosts }) => [text, hosts.map(({ mac }) => mac).join(' ')]);

  test('a rollback: who goes back to what, and who stays', () => {
    const hosts = [
      host('a'),
      host('b', { state: 'rolled-back' }),
      host('c', { before: null }),
      host('d', { before: image }),
      host('e', { state: 'skipped' }),
      host('f', { attempt: null, state: 'waiting' }),
    ];
    expect(told(effectsOfRollback(hosts))).toEqual([
      ['2 hosts back to one:latest (sha256:11111111)', 'a b'],
      ['2 hosts with no other image before: left alone', 'c d'],
      ['1 host taken out of the rollout since: left alone', 'e'],
      ['1 host not ordered: left alone', ''],
    ]);
  });
  test('an abort takes back what nobody has acted on', () => {
    const moving = [host('a', { state: 'staging' }), host('b', { state: 'switching' })];
    expect(told(effectsOfAbort(rollout({ states: counts({ succeeded: 3 }) }), moving))).toEqual([
      ['1 host staging: the order is taken back, and nothing changes there', 'a'],
      ['1 host in the jump: let come to the end', 'b'],
      ['3 hosts there: left on the new image', ''],
    ]);
  });
  test('who resumes sees what he accepts', () => {
    const [first] = effectsOfResume(rollout(), [host('a', { state: 'failed' })]);
    expect([first?.text, first?.hosts.length]).toEqual([
      '1 host failed or rolled back: accepted as they are, or tried once more, as you choose',
      1,
    ]);
  });
});

test('hosts in a sentence are links, and nothing else is', () => {
  expect(String(withHostLinks('52:54:00:00:00:01 <b> 52:54'))).toBe(
    '<a class="code" href="/hosts/52%3A54%3A00%3A00%3A00%3A01">52:54:00:00:00:01</a> &lt;b&gt; 52:54',
  );
});

test('who was left out stands in the event of the beginning, whatever else stands there', () => {
  const event = (leftOut: unknown) => [{ kind: 'rollout-began', data: { leftOut } }] as never;
  expect(leftOutOf(event([{ reason: 'retired', macs: ['a', 'b'] }, { reason: 'x' }, { macs: 'y' }]))).toEqual(
    [
      { mac: 'a', reason: 'retired' },
      { mac: 'b', reason: 'retired' },
    ],
  );
  expect([leftOutOf([]), leftOutOf(event(null)), leftOutOf(event('x'))]).toEqual([[], [], []]);
});
