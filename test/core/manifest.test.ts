import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DiskLayout } from '../../server/core/disk-layout.ts';
import type { Host } from '../../server/core/host.ts';
import {
  filesAt,
  type ImageFacts,
  type Manifest,
  manifest,
  manifestText,
} from '../../server/core/manifest.ts';
import { nextStep } from '../../server/core/next-step.ts';
import { HOSTILE } from '../fixtures/hostile-texts.ts';
import { A, B, claimWith, DISK, hostWith } from '../fixtures/hosts.ts';

const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex');
const SETTINGS = { fleet: { hosts: 1, isPressed: false }, trialSeconds: 600, mirrorOf: () => null };

function image(digest: ImageFacts['digest']): ImageFacts {
  return {
    digest,
    name: digest === A ? 'image-a' : 'image-b',
    append: 'console=tty0 console=ttyS0,115200n8',
    kernel: { sha256: 'c'.repeat(64), bytes: 8_000_000 },
    initrd: { sha256: 'd'.repeat(64), bytes: 30_000_000 },
  };
}

function manifestOf(host: Host): Manifest {
  const step = nextStep(host, 2);
  return manifest(host, step, step.digest && image(step.digest), null, SETTINGS, sha256Hex);
}

const holdsB = { a: { state: 'modified', digest: A }, b: { state: 'valid', digest: B } } as const;
const HOSTS = {
  idle: hostWith({ enrolment: { assignment: { ref: 'image-a', digest: A } } }),
  new: hostWith({ enrolment: { assignment: null }, observation: null }),
  install: hostWith({
    enrolment: { append: 'console=ttyS1,115200n8', diskRule: 'serial=WD-123', switchMode: 'reboot' },
    attempt: { kind: 'install', wipe: true },
    observation: null,
  }),
  installed: hostWith({
    attempt: { kind: 'install', phase: 'installed' },
    observation: { environment: 'installer', slot: null, digest: null },
  }),
  stage: hostWith({ attempt: {} }),
  switch: hostWith({
    enrolment: { files: { sha256: 'f'.repeat(64), bytes: 2048 }, claim: claimWith() },
    attempt: { phase: 'staged' },
    observation: { slots: holdsB },
  }),
  prove: hostWith({
    attempt: { phase: 'confirming' },
    observation: { bootId: 'boot-2', slot: 'b', digest: B, slots: holdsB },
  }),
  'rolled-back': hostWith({
    attempt: { outcome: 'rolled-back', reason: 'it\'s "dead": $(panic)\nat `boot`' },
  }),
} satisfies Record<string, Host>;

describe.each(Object.entries(HOSTS))('%s', (name, host) => {
  const golden = (suffix: string) => join(import.meta.dirname, `../golden/manifest/${name}.${suffix}`);

  test('is as recorded, in both representations', async () => {
    const made = manifestOf(host);
    await expect(`${JSON.stringify(made, null, 2)}\n`).toMatchFileSnapshot(golden('json'));
    await expect(manifestText(made)).toMatchFileSnapshot(golden('txt'));
  });

  test('the same state gives the same bytes', () => {
    expect(JSON.stringify(manifestOf(structuredClone(host)))).toBe(JSON.stringify(manifestOf(host)));
  });
});

test('a mirror is named where images are fetched, by the labels of the host', () => {
  const mirrorOf = ({ site }: Readonly<Record<string, string>>) =>
    site === 'fra' ? 'http://10.1.0.1:8080' : null;
  const mirrorOn = (host: Host) => {
    const step = nextStep(host, 2);
    return manifest(host, step, step.digest && image(step.digest), null, { ...SETTINGS, mirrorOf }, sha256Hex)
      .mirror;
  };
  const labels = { site: 'fra' };
  expect(mirrorOn(hostWith({ attempt: {}, enrolment: { labels } }))).toBe('http://10.1.0.1:8080');
  expect(
    mirrorOn(hostWith({ attempt: { kind: 'install' }, observation: null, enrolment: { labels } })),
  ).not.toBeNull();
  expect(mirrorOn(hostWith({ attempt: {}, enrolment: { labels: { site: 'ber' } } }))).toBeNull();
  expect(mirrorOn(hostWith({ enrolment: { labels } }))).toBeNull();
});

test('a host has its own time for a trial, and its own rate while it stages', () => {
  const own = { trialSeconds: 90, rateBytes: 20_000_000 };
  const stage = manifestOf(hostWith({ attempt: {}, enrolment: own }));
  expect([stage.trial?.split(' ').at(-1), stage.rate]).toEqual(['warmboot.trial=90', 20_000_000]);
  const toSwitch = manifestOf(
    hostWith({ attempt: { phase: 'staged' }, observation: { slots: holdsB }, enrolment: own }),
  );
  expect([toSwitch.trial?.split(' ').at(-1), toSwitch.rate]).toEqual(['warmboot.trial=90', null]);
  expect(manifestOf(HOSTS.stage).trial).toContain('warmboot.trial=600');
});

/** Every key that programs rely on, each in every manifest, so that none is inherited from an older one. */
const KEYS =
  `VERSION SERIAL HOST MACS ATTEMPT ACTION REASON IMAGE_NAME IMAGE_DIGEST SLOT ROOT KERNEL_URL KERNEL_SHA256
  KERNEL_BYTES INITRD_URL INITRD_SHA256 INITRD_BYTES APPEND TRIAL SWITCH RATE READ_BACK POLL STAGE_INDEX STAGE_FRAMES STAGE_DATA
  INSTALL_LAYOUT INSTALL_DISK INSTALL_WIPE FILES_URL FILES_SHA256 FILES_BYTES MIRROR ANNOUNCE`.split(/\s+/);

test.each(Object.entries(HOSTS))('%s as text has every key, one a line', (_, host) => {
  const lines = manifestText(manifestOf(host)).trimEnd().split('\n');
  expect(lines.map((line) => line.split('=')[0])).toEqual(KEYS);
});

test('a shell reads what JSON says, whatever an operator or a host wrote', () => {
  for (const reason of HOSTILE) {
    const made: Manifest = { ...manifestOf(HOSTS.stage), reason, image: { name: reason, digest: B } };
    const script = `${manifestText(made)}\nprintf '%s\\0' "$REASON" "$IMAGE_NAME" "$SLOT" "$SERIAL" "$INSTALL_WIPE"\n`;
    const out = execFileSync('/bin/sh', ['-s'], {
      input: script,
      encoding: 'utf8',
      env: { INSTALL_WIPE: 'true' },
    });
    expect(out.split('\0')).toEqual([reason, reason, 'b', '7', '', '']);
  }
});

test('the root of a switch lies on the disk that the host reported, of an install on the new one', () => {
  const other = hostWith({ attempt: {}, observation: { disk: DISK.replace('1111', '2222') } });
  expect(manifestOf(HOSTS.stage).root).not.toBe(manifestOf(other).root);
  const install = manifestOf(hostWith({ attempt: { kind: 'install' } }));
  expect(install.root).not.toBe(manifestOf(hostWith({ attempt: { kind: 'install', id: 'attempt-2' } })).root);
  expect(install.append).toContain(`root=${install.root} rw`);
});

test('on msdos the root is signature and number, from what the host reported or from the layout', () => {
  const step = (host: Host) => nextStep(host, 2);
  const msdos = {
    name: 'msdos',
    table: 'msdos',
    bootBytes: 2 ** 29,
    stateBytes: 2 ** 26,
    slots: 2,
    slotBytes: 2 ** 31,
    data: false,
  } as const;
  const rootOf = (host: Host, layout: DiskLayout) =>
    manifest(host, step(host), image(A), layout, SETTINGS, sha256Hex).root;
  const staged = hostWith({ attempt: {}, observation: { disk: '1a2b3c4d-05' } });
  // What the host reported counts, whatever layout was named since.
  for (const table of ['gpt', 'msdos'] as const)
    expect(rootOf(staged, { ...msdos, table })).toBe('PARTUUID=1a2b3c4d-06');
  const install = hostWith({ attempt: { kind: 'install' }, observation: null });
  expect(rootOf(install, msdos)).toMatch(/^PARTUUID=[0-9a-f]{8}-03$/);
  expect(rootOf(install, { ...msdos, data: true })).toMatch(/^PARTUUID=[0-9a-f]{8}-05$/);
});

test('only an order writes, and only an install may wipe', () => {
  for (const host of Object.values(HOSTS)) {
    const { action, stage, install, trial } = manifestOf(host);
    expect(stage !== null).toBe(action === 'install' || action === 'stage');
    expect(install !== null).toBe(action === 'install');
    expect(trial !== null).toBe(action === 'stage' || action === 'switch');
  }
  expect(manifestOf(HOSTS.install).install).toEqual({
    layout: 'two-slots',
    disk: 'serial=WD-123',
    wipe: true,
  });
});

test('after a restore a host that has not spoken since is asked to say what it is, and nothing else changes', () => {
  const host: Host = HOSTS.idle;
  const at = host.observation?.at ?? 0;
  const told = (restoredAt: number | null) => {
    const next = nextStep(host, 2);
    const settings = { ...SETTINGS, restoredAt };
    return manifest(host, next, next.digest && image(next.digest), null, settings, sha256Hex);
  };
  expect(told(at + 1)).toEqual({ ...told(null), announce: at + 1 });
  expect([told(at).announce, told(null).announce]).toEqual([null, null]);
});

test('with its image at another address, its own files stay where the manifest is: they are secrets', () => {
  const told = filesAt(manifestOf(HOSTS.switch), 'http://10.0.0.1:8080');
  expect(told.kernel?.url).toMatch(/^http:\/\/10\.0\.0\.1:8080\/boot\/images\//);
  expect(told.files?.url).toBe(`/boot/hosts/${HOSTS.switch.enrolment.macs[0]}/files/${'f'.repeat(64)}`);
});
