import { expect, test } from 'vitest';
import type { BuildkitStep } from '../../../server/build/docker/buildkit-status.ts';
import { createStepLog } from '../../../server/build/docker/step-log.ts';
import type { BuildProgress } from '../../../server/build/messages.ts';

const step = (digest: string, name: string, more: Partial<BuildkitStep> = {}): BuildkitStep => ({
  digest,
  name,
  inputs: [],
  cached: false,
  started: false,
  completed: false,
  error: '',
  ...more,
});
const begun = { started: true };
const done = { started: true, completed: true };

test('a step of another build that did the same is neither counted nor told', () => {
  const told: BuildProgress[] = [];
  const log = createStepLog((progress) => told.push(progress));
  const take = (...steps: BuildkitStep[]) => log.take({ steps, logs: [] });
  take(step('i', '[internal] load metadata', done));
  take(step('2', '[base 2/2] RUN two'), step('1', '[base 1/2] FROM docker.io/library/debian:trixie'));
  take(step('9', '[packages 1/5] FROM docker.io/library/debian:trixie', { ...done, cached: true }));
  take(step('1', '[base 1/2] FROM docker.io/library/debian:trixie', { ...done, cached: true }));
  take(step('2', '[base 2/2] RUN two', begun));
  take(step('2', '[base 2/2] RUN two', done), step('e', 'exporting to image', begun));
  const counts = { stepsTotal: 2 };
  expect(told).toEqual([
    { phase: 'docker', message: '[base 1/2] FROM debian:trixie (cached)', stepsDone: 1, ...counts },
    { phase: 'docker', message: '[base 2/2] RUN two', stepsDone: 1, ...counts },
    { phase: 'docker', message: 'exporting to image', stepsDone: 2, ...counts },
  ]);
});

const follow = () => {
  const told: string[] = [];
  const log = createStepLog(({ message, stepsDone, stepsTotal }) =>
    told.push(`${message} ${stepsDone}/${stepsTotal}`),
  );
  return { told, take: (...steps: BuildkitStep[]) => log.take({ steps, logs: [] }) };
};

test('a step that was under way when it was named first is ours where another is made from it', () => {
  const { told, take } = follow();
  take(step('1', '[base 1/3] FROM debian:trixie', { ...done, cached: true }));
  expect(told).toEqual([]);
  take(
    step('2', '[base 2/3] RUN two', { inputs: ['1'] }),
    step('3', '[base 3/3] RUN three', { inputs: ['2'] }),
  );
  take(step('2', '[base 2/3] RUN two', { ...begun, inputs: ['1'] }));
  expect(told).toEqual(['[base 1/3] FROM debian:trixie (cached) 1/3', '[base 2/3] RUN two 1/3']);
});

test('a stage whose steps are all there is ours, though none was named before it began', () => {
  const { told, take } = follow();
  take(
    step('1', '[1/2] FROM debian:trixie', { ...done, cached: true }),
    step('2', '[2/2] RUN sleep 60', begun),
  );
  expect(told).toEqual(['[1/2] FROM debian:trixie (cached) 1/2', '[2/2] RUN sleep 60 1/2']);
});

test('a step that begins and ends within one message is told', () => {
  const { told, take } = follow();
  take(step('1', '[stage-0  1/10] RUN one'));
  take(step('1', '[stage-0  1/10] RUN one', begun), step('1', '[stage-0  1/10] RUN one', done));
  expect(told).toEqual(['[stage-0 1/10] RUN one 1/1']);
});

test('a character that is cut between two messages is whole in its line', () => {
  const told: string[] = [];
  const log = createStepLog(({ message }) => told.push(message));
  const text = Buffer.from('fünf\n');
  for (const part of [text.subarray(0, 2), text.subarray(2)])
    log.take({ steps: [], logs: [{ step: '1', text: part }] });
  expect(told).toEqual(['fünf']);
});
