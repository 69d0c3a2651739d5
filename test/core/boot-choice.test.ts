import { expect, test } from 'vitest';
import { bootChoice } from '../../server/core/boot-choice.ts';
import { hostWith } from '../fixtures/hosts.ts';

type Facts = Parameters<typeof hostWith>[0];

test.each<[string, Facts | null, string]>([
  ['is not enrolled', null, 'discovery'],
  ['waits for approval', { enrolment: { status: 'discovered' } }, 'discovery'],
  ['ignored', { enrolment: { status: 'ignored' }, observation: null }, 'disk'],
  ['is retired', { enrolment: { status: 'retired' }, observation: null }, 'disk'],
  ['has an install to do', { attempt: { kind: 'install' } }, 'installer'],
  ['was installed and jumps', { attempt: { kind: 'install', phase: 'installed' } }, 'disk'],
  ['runs its image', {}, 'disk'],
  ['has a switch to do', { attempt: {} }, 'disk'],
  [
    'failed to install',
    { attempt: { kind: 'install', outcome: 'failed' }, observation: { slots: {} } },
    'discovery',
  ],
  ['is new and has no image', { enrolment: { assignment: null }, observation: null }, 'discovery'],
])('a machine that %s', (_, facts, kind) => {
  const choice = bootChoice(facts === null ? null : hostWith(facts), 2);
  expect(choice.kind).toBe(kind);
  expect(choice.reason).not.toBe('');
});
