import { expect, test } from 'vitest';
import { type Ailments, type Machine, machine } from '../../lab/machine.ts';
import { qemuArguments } from '../../lab/machine-arguments.ts';

const files = {
  disk: '/d',
  diskFormat: 'raw',
  variables: '/v',
  serial: '/s',
  taps: ['tap0', 'tap1'],
} as const;
const tcg = { name: 'tcg', qemuArgs: ['-accel', 'tcg'], processors: 1, slowness: 4 } as const;

const argumentsOf = (parts: Partial<Machine>, ailments: Ailments = {}) => {
  const { program, args } = qemuArguments(
    machine({ name: 'm', mac: '52:54:00:00:00:01', ...parts }),
    files,
    tcg,
    null,
    ailments,
  );
  return [program, ...args].join(' ');
};

/** Devices by the order in which the firmware tries them. */
const order = (text: string) =>
  [...text.matchAll(/-device (\S+)/g)]
    .map(([, device = '']) => [/bootindex=(\d+)/.exec(device)?.[1], device.split(',')[0]] as const)
    .filter(([index]) => index !== undefined)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, device]) => device);

test('the card first, then the disk', () => {
  expect(order(argumentsOf({ nic: 'e1000', disk: 'nvme' }))).toEqual(['e1000', 'nvme']);
  expect(order(argumentsOf({ moreMacs: ['52:54:00:00:00:02'] }))).toEqual([
    'virtio-net-pci',
    'virtio-blk-pci',
  ]);
});

test('empty disks come before the disk', () => {
  const text = argumentsOf({ firmware: 'bios', disk: 'ahci', disksBefore: 2 });
  expect(order(text)).toEqual(['virtio-net-pci', 'virtio-blk-pci', 'virtio-blk-pci', 'ide-hd']);
});

test('a machine that starts from a medium does not netboot, but for the iPXE on it', () => {
  for (const [start, device] of [
    ['disc', 'ide-cd'],
    ['stick', 'usb-storage'],
  ] as const) {
    const text = argumentsOf({ start, firmware: 'bios' });
    expect(order(text)).toEqual([device, 'virtio-blk-pci']);
    expect(text).toMatch(/virtio-net-pci\S*,romfile= /);
  }
});

test('HTTP boot leaves PXE out', () => {
  expect(argumentsOf({ start: 'http' })).toContain('IPv4PXESupport,string=n');
  expect(argumentsOf({ start: 'pxe' })).not.toContain('PXESupport');
});

test('the processor chooses the program', () => {
  expect(argumentsOf({ processor: 'arm64' })).toMatch(/^qemu-system-aarch64 .*-machine virt /);
  expect(argumentsOf({ processor: 'x86-32' })).toMatch(/^qemu-system-x86_64 .*-cpu qemu32 /);
});

test('dead cards come first and have no cable; the firmware starts from the one that has', () => {
  const text = argumentsOf({ deadCards: 1, firmware: 'bios' });
  expect(text).toMatch(
    /-device virtio-net-pci,mac=52:54:00:00:de:00,romfile= .*-device virtio-net-pci,netdev=net0/,
  );
  expect(order(text)).toEqual(['virtio-net-pci', 'virtio-blk-pci']);
});

test('a disk that fails is put behind what makes it fail', () => {
  const text = argumentsOf({}, { disk: { fails: 'write', sector: 4096 } });
  expect(text).not.toContain('-drive');
  expect(text).toMatch(/driver=blkdebug,node-name=disk0,\S*iotype=write\S*sector=4096/);
  expect(argumentsOf({}, { disk: 'read-only' })).toMatch(/-drive \S*readonly=on/);
  expect(argumentsOf({}, { clock: '2006-01-01T00:00:00' })).toContain('-rtc base=2006-01-01T00:00:00');
});

test('a watchdog resets the machine, and is there only where it is asked for', () => {
  expect(argumentsOf({ watchdog: true })).toContain('-device i6300esb -action watchdog=reset');
  expect(argumentsOf({})).not.toContain('i6300esb');
});

test('with that watchdog the board’s own is off', () => {
  expect(argumentsOf({ watchdog: true })).toContain('-global ICH9-LPC.enable_tco=off');
  expect(argumentsOf({})).not.toContain('enable_tco');
});
