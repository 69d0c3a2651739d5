import { describe, expect, test } from 'vitest';
import { PHASES, POWER_STEPS } from '../../server/core/attempt.ts';
import { ATTEMPT_MOVES, ATTEMPT_TRIGGERS, attemptMove } from '../../server/core/attempt-moves.ts';
import {
  ENROLMENT_MOVES,
  ENROLMENT_TRIGGERS,
  enrolmentMove,
  requireMove,
} from '../../server/core/enrolment-moves.ts';
import { OBSERVATION_MOVES, REPORT_ORDER } from '../../server/core/observation-moves.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import { A, attempt, B, claimWith, enrolment, NOW, observation, reportWith } from '../fixtures/hosts.ts';

/** The tables that everything which changes a host goes by say something of whatever can happen, and say why. */

const STATES = ['unknown', 'discovered', 'ignored', 'approved', 'retired'] as const;

describe('enrolment', () => {
  test.each(STATES.flatMap((from) => ENROLMENT_TRIGGERS.map((on) => ({ from, on }))))(
    '$on in $from has one line',
    ({ from, on }) => {
      expect(ENROLMENT_MOVES.filter((move) => move.from.includes(from) && move.on.includes(on))).toHaveLength(
        1,
      );
      expect(enrolmentMove(from, on).reason).not.toBe('');
    },
  );
  test('a refusal is told in the words of the table, after the host', () => {
    const told = () => requireMove(enrolment({ status: 'retired' }), 'order');
    expect(told).toThrow('52:54:00:00:00:01 is retired: it takes no image. Approve it first.');
  });
  test('only an approved host takes orders, claims and reports', () => {
    for (const on of ['order', 'claim', 'report'] as const)
      expect(STATES.filter((from) => enrolmentMove(from, on).to !== 'refused')).toEqual(['approved']);
  });
});

/** Facts for which each condition holds, and for which it does not. */
const REPORTS = [A, B, null].flatMap((digest) =>
  ['boot-1', 'boot-2'].flatMap((bootId) =>
    [true, false].flatMap((trial) =>
      ['a', 'b', null].map((bootDefault) =>
        reportWith({ kind: 'booted', digest, bootId, trial, bootDefault, slot: 'b', disk: 'new' }),
      ),
    ),
  ),
);
const SEEN = [null, observation({ bootId: 'boot-2' })];
const CLAIMS = [
  null,
  ...(['new', 'used', 'lapsed', 'released'] as const).map((standing) => claimWith({ standing })),
];

test('every attempt, whatever happens to it, goes by a line of the table, and every line is gone by', () => {
  const used = new Set<unknown>();
  for (const kind of ['install', 'switch'] as const)
    for (const phase of PHASES[kind])
      for (const outcome of [null, 'failed'] as const)
        for (const on of ATTEMPT_TRIGGERS)
          for (const fresh of [true, false])
            for (const seen of SEEN)
              for (const now of [NOW, NOW + PATIENCE.writeMs])
                for (const claim of CLAIMS)
                  for (const isHeld of [true, false])
                    for (const report of REPORTS) {
                      const facts = {
                        now,
                        patience: PATIENCE,
                        report,
                        observation: seen,
                        isHeld,
                        claim,
                      };
                      const found = attemptMove(attempt({ kind, phase, outcome, fresh }), on, facts);
                      used.add(found);
                      if (outcome !== null && found.to !== 'refused')
                        throw new Error('an ended attempt moved');
                    }
  for (const on of ['booted', 'confirmed', 'image-runs'] as const) {
    const said = { now: NOW, report: reportWith({ kind: 'booted', disk: 'old' }) };
    used.add(attemptMove(attempt({ kind: 'install', phase: 'installed', workDisk: 'new' }), on, said));
  }
  for (const hasPowerHook of [true, false])
    for (const power of [null, ...POWER_STEPS])
      for (const claim of CLAIMS)
        used.add(
          attemptMove(attempt({ phase: 'switching', power }), 'deadline', { now: NOW, claim, hasPowerHook }),
        );
  expect(ATTEMPT_MOVES.filter((move) => !used.has(move))).toEqual([]);
});

test('no line takes an attempt back, but that of a machine which was restarted before it had jumped', () => {
  const back = ATTEMPT_MOVES.filter(
    ({ on, from, when }) =>
      on === 'staged' &&
      from?.join() === 'switching' &&
      when === 'it is a later boot than the one that did the work',
  );
  expect(back).toHaveLength(1);
  for (const { from = [], to, kind } of ATTEMPT_MOVES.filter((move) => !back.includes(move)))
    for (const one of kind ? [kind] : (['install', 'switch'] as const)) {
      const order = PHASES[one] as readonly string[];
      if (!order.includes(to)) continue;
      for (const phase of from) expect(order.indexOf(phase)).toBeLessThanOrEqual(order.indexOf(to));
    }
});

test('every line says why, and none is written twice', () => {
  const tables: readonly (readonly { readonly reason: string }[])[] = [
    ATTEMPT_MOVES,
    ENROLMENT_MOVES,
    OBSERVATION_MOVES,
    REPORT_ORDER,
  ];
  for (const table of tables) {
    for (const { reason } of table) expect(reason).toMatch(/\w/);
    expect(new Set(table.map((line) => JSON.stringify(line))).size).toBe(table.length);
  }
});
