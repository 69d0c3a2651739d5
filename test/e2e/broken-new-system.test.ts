import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { MatrixHost } from './matrix-host.ts';
import { FIRST_IMAGE } from './snapshot.ts';

/**
 * The matrix of broken systems, first part: the new system is no good. Each row ends on the old one, with no human, and is told to
 * the server by it. All by one machine, in turn; the faults come by the host's kernel arguments.
 */
interface Row {
  readonly broken: string;
  /** What breaks it. */
  readonly append: string;
  /** By what it is seen to have been broken, on the serial port. */
  readonly seen: RegExp;
  /** What the server is told was missing, where the agent lived to see it. */
  readonly missed?: string;
  /** Without which it would end otherwise. */
  readonly safeguard: string;
  /** In each run, not only with --all. */
  readonly quick?: boolean;
  /** 300 if not given. */
  readonly trialSeconds?: number;
}

const PANICS = /Kernel panic - not syncing/;
const NOT_CONFIRMED = /trial not confirmed in \d+ s/;

const ROWS: readonly Row[] = [
  {
    broken: 'its kernel panics in the initrd',
    append: 'rdinit=/usr/bin/mkdir',
    seen: PANICS,
    safeguard: 'panic=10; default moves at confirm only',
    quick: true,
  },
  {
    broken: 'its root is wrong',
    append: 'root=PARTUUID=00000000-0000-0000-0000-000000000000',
    seen: /PARTUUID=0{8}-\S* does not exist/,
    safeguard: 'panic=10, which the initrd follows too',
  },
  {
    broken: 'its initrd lacks the disk driver',
    append: 'module_blacklist=virtio_blk',
    seen: /PARTUUID=\S+ does not exist/,
    safeguard: 'panic=10, which the initrd follows too',
  },
  {
    broken: 'its init ends at once',
    append: 'init=/usr/bin/true',
    seen: PANICS,
    safeguard: 'panic=10',
  },
  {
    broken: 'systemd hangs before the network',
    append: 'fault=hang',
    seen: NOT_CONFIRMED,
    safeguard: 'trial-guard, which waits for nothing',
    trialSeconds: 90,
  },
  {
    broken: 'systemd ends in emergency mode',
    append: 'systemd.default_device_timeout_sec=5 systemd.mount-extra=/dev/nowhere:/mnt:ext4',
    seen: NOT_CONFIRMED,
    safeguard: 'trial-guard, which emergency mode does not stop',
    trialSeconds: 120,
  },
  {
    broken: 'its agent is missing',
    append: 'systemd.mask=warmboot-agent.service',
    seen: NOT_CONFIRMED,
    safeguard: 'trial-guard, which needs no agent',
    trialSeconds: 60,
    quick: true,
  },
  {
    broken: 'its agent crashes at each start',
    append: 'systemd.setenv=WB_LIB=/nowhere',
    seen: NOT_CONFIRMED,
    safeguard: 'trial-guard, which needs no agent',
    trialSeconds: 90,
  },
  {
    broken: 'a health hook fails',
    append: 'fault=health-fails',
    seen: /fault: health-fails/,
    safeguard: 'no confirm before all hooks pass',
    trialSeconds: 180,
  },
  {
    broken: 'a health hook hangs',
    append: 'fault=health-hangs',
    seen: /fault: health-hangs/,
    safeguard: 'trial-guard, which waits for no hook',
    trialSeconds: 180,
  },
  {
    broken: 'its network is dead',
    append: 'module_blacklist=virtio_net',
    seen: NOT_CONFIRMED,
    missed: 'neither the server nor the gateway answered',
    safeguard: 'no confirm before the server or the gateway answers',
    // Long enough for a slow machine to get as far as the question: a trial that ends before it would hide that nobody asks.
    trialSeconds: 300,
  },
];

let rack: Rack;
let host: MatrixHost;

beforeAll(async () => {
  host = await MatrixHost.restore('broken-new-system');
  rack = host.rack;
});
afterAll(() => rack?.close());

describe('what is broken in the new system ends on the old one', () => {
  test.each(runsAll() ? ROWS : ROWS.filter(({ quick }) => quick))(
    '$broken',
    async ({ append, seen, missed = '', trialSeconds = 300 }) => {
      const ordered = await host.order({ image: 'fragile', append, trialSeconds });
      const reason = new RegExp(`did not confirm.*${missed}.*; the machine came back through its firmware`);
      await host.ends(ordered, { outcome: 'rolled-back', reason, runs: FIRST_IMAGE }, trialSeconds + 150);
      expect(host.said(ordered)).toMatch(seen);
    },
  );
});

test.runIf(runsAll())(
  'the same image without a fault is confirmed: none of it has left anything behind',
  async () => {
    const ordered = await host.order({ image: 'fragile' });
    await host.ends(ordered, { outcome: 'succeeded', runs: 'fragile' });
  },
);
