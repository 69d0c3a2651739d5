import type { BuildView } from '../../server/contract/builds.ts';
import type { EventView } from '../../server/contract/events.ts';
import type { HostView } from '../../server/contract/hosts.ts';
import type { ImageView } from '../../server/contract/images.ts';
import { NOW } from './run.ts';

/** Records as the server sends them, to be varied by the tests. */

export const MAC = '52:54:00:00:00:01';
export const ONE = `sha256:${'1'.repeat(64)}`;
export const TWO = `sha256:${'2'.repeat(64)}`;
type Attempt = NonNullable<HostView['attempt']>;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export function attempt(more: Partial<Attempt> = {}): Attempt {
  return {
    id: 'attempt-1',
    kind: 'switch',
    digest: TWO,
    image: 'debian-13:next',
    cause: 'operator: assign',
    phase: 'staging',
    progress: null,
    outcome: null,
    reason: 'waits for the agent to ask',
    createdAt: NOW - 90 * SECOND,
    phaseAt: NOW - 30 * SECOND,
    deadline: NOW + 10 * MINUTE,
    endedAt: null,
    power: null,
    ...more,
  };
}

export function host(more: Partial<HostView> = {}): HostView {
  return {
    id: 'host-1',
    mac: MAC,
    macs: [MAC],
    state: 'active',
    enrolment: 'approved',
    image: { ref: 'debian-13:latest', digest: ONE },
    layout: 'two-slots',
    disk: 'smallest',
    labels: { rack: 'b7' },
    append: '',
    switch: 'kexec',
    held: null,
    trialSeconds: null,
    rate: null,
    profile: null,
    from: {
      layout: 'default',
      disk: 'default',
      append: 'default',
      switch: 'default',
      trialSeconds: 'default',
      rate: 'default',
    },
    claimed: true,
    serial: 17,
    revision: 3,
    attempt: null,
    observation: {
      bootId: 'b5c9b7a4-6c1c-4b64-9be1-0d7c4e0c6f5d',
      seq: 4,
      environment: 'os',
      slot: 'a',
      digest: ONE,
      default: 'a',
      slots: { a: { state: 'modified', digest: ONE }, b: { state: 'empty', digest: null } },
      disk: '0f3b7f5a-2a52-4a8e-9d0c-5f8c8e1d2b3c',
      trial: false,
      wentBack: null,
      readOnly: false,
      at: NOW - 40 * SECOND,
    },
    next: {
      action: 'none',
      reason: 'the host runs its image',
      until: 'an operator assigns another',
      hint: null,
      slot: 'a',
    },
    lastSeen: NOW - 5 * SECOND,
    createdAt: NOW - 26 * HOUR,
    ...more,
  };
}

export function image(more: Partial<ImageView> = {}): ImageView {
  return {
    digest: ONE,
    kind: 'os',
    tags: ['debian-13:latest'],
    os: 'Debian GNU/Linux 13 (trixie)',
    kernel: '6.12.48+deb13-amd64',
    filesystemBytes: 2 * 1024 ** 3,
    dataBytes: 165 * 1024 ** 2,
    chunks: 8000,
    damaged: false,
    createdAt: NOW - 3 * HOUR,
    ...more,
  };
}

export function build(more: Partial<BuildView> = {}): BuildView {
  return {
    id: 'build-1',
    name: 'debian-13',
    tag: 'latest',
    status: 'running',
    digest: null,
    error: null,
    startedAt: NOW - 5 * SECOND,
    endedAt: null,
    ...more,
  };
}

export function event(id: number, more: Partial<EventView> = {}): EventView {
  return {
    id,
    at: NOW - 2 * MINUTE + id * SECOND,
    kind: 'attempt-began',
    host: 'host-1',
    attempt: 'attempt-1',
    by: 'alice',
    actor: 'operator',
    reason: 'debian-13:next was ordered',
    data: {},
    ...more,
  };
}
