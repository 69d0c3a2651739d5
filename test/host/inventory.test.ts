import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inventorySchema } from '../../server/contract/inventory.ts';
import { HOSTILE } from '../fixtures/hostile-texts.ts';
import { FakeHost, INSTALLER, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.write(
    'proc/cpuinfo',
    'processor\t: 0\nmodel name\t: Xeon(R) "Gold"\n\nprocessor\t: 1\nmodel name\t: x\n',
  );
  host.write('proc/meminfo', 'MemTotal:       131072000 kB\nMemFree: 1 kB\n');
});
afterEach(() => host.remove());

const PARTS = ['choose-disk.sh', 'network.sh', 'inventory.sh'].map((name) => join(INSTALLER, name));
const SELF = `WB_DEV="$T/dev" INVENTORY_SENT='' INVENTORY_AT=0 STANDING='' INVENTORY='' OWN_GUID='' M_SERIAL=''
  disk_content() { echo empty; echo "content $1" >> "$T/calls"; }\n`;
function dmi(name: string, text: string | Uint8Array): void {
  const file = `sys/class/dmi/id/${name}`;
  host.write(file, typeof text === 'string' ? `${text}\n` : '');
  if (typeof text !== 'string') host.writeBytes(file, text);
}

function card(name: string, mac: string, facts: Readonly<Record<string, string>>, bus = 'pci'): void {
  const folder = `sys/class/net/${name}`;
  host.write(`${folder}/address`, `${mac}\n`);
  for (const [file, value] of Object.entries(facts)) host.write(`${folder}/${file}`, `${value}\n`);
  for (const [link, target] of [
    ['driver', 'sys/bus/drivers/tg3'],
    ['subsystem', `sys/bus/${bus}`],
  ] as const) {
    mkdirSync(host.path(target), { recursive: true });
    mkdirSync(host.path(`${folder}/device`), { recursive: true });
    symlinkSync(host.path(target), host.path(`${folder}/device/${link}`));
  }
}

describe.each(SHELLS)('in %s', (...shell) => {
  const run = (script: string) => host.run(shell, SELF + script, PARTS).out;
  const inventory = () => inventorySchema.parse(JSON.parse(run('inventory_json')));

  test('a server, as the schema takes it', () => {
    dmi('sys_vendor', 'Dell Inc.');
    dmi('product_name', 'PowerEdge R640');
    dmi('product_serial', 'ABC1234');
    dmi('product_uuid', '4c4c4544-0041-4210-8043-b1c04f313233');
    dmi('board_serial', 'CN0001');
    host.disk(
      'sda',
      { 'device/model': 'PERC H740P    ', 'device/wwid': 'naa.5000c5', 'queue/rotational': '1' },
      [],
      'pci0/ata1/host0',
    );
    host.disk(
      'nvme0n1',
      { serial: 'N1', 'queue/logical_block_size': '4096', 'queue/rotational': '0' },
      [],
      'pci0/nvme/nvme0',
    );
    card('eth0', '52:54:00:00:00:01', { carrier: '1', speed: '10000' });
    card('eth1', '52:54:00:00:00:02', { carrier: '0', speed: '-1' });
    card('usb0', '52:54:00:00:00:03', {}, 'usb');
    const said = inventory();
    expect(said).toMatchObject({
      firmware: { kind: 'bios', bits: null, secureBoot: null },
      system: {
        vendor: 'Dell Inc.',
        product: 'PowerEdge R640',
        serial: 'ABC1234',
        uuid: '4c4c4544-0041-4210-8043-b1c04f313233',
      },
      board: { vendor: null, product: null, serial: 'CN0001' },
      cpu: { model: 'Xeon(R) "Gold"', count: 2 },
      memoryBytes: 131_072_000 * 1024,
      bmc: { source: 'unknown', address: null },
      watchdog: false,
    });
    expect(said.disks).toEqual([
      {
        name: 'nvme0n1',
        model: null,
        serial: 'N1',
        wwn: null,
        bytes: 4_294_967_296,
        sectorBytes: 4096,
        transport: 'nvme',
        rotational: false,
        content: 'empty',
      },
      {
        name: 'sda',
        model: 'PERC H740P    ',
        serial: null,
        wwn: '5000c5',
        bytes: 4_294_967_296,
        sectorBytes: 512,
        transport: 'sata',
        rotational: true,
        content: 'empty',
      },
    ]);
    expect(said.nics).toEqual([
      { name: 'eth0', mac: '52:54:00:00:00:01', driver: 'tg3', bus: 'pci', link: true, speedMbps: 10_000 },
      { name: 'eth1', mac: '52:54:00:00:00:02', driver: 'tg3', bus: 'pci', link: false, speedMbps: null },
      { name: 'usb0', mac: '52:54:00:00:00:03', driver: 'tg3', bus: 'usb', link: null, speedMbps: null },
    ]);
  });

  test('a machine of which nothing can be read says so', () => {
    host.write('proc/cpuinfo', '');
    host.write('proc/meminfo', 'MemTotal: 0 kB\n');
    const said = inventory();
    expect(said).toMatchObject({ cpu: { model: null, count: 0 }, disks: [], nics: [] });
    expect(said.system).toEqual({ vendor: null, product: null, serial: null, uuid: null });
  });

  test('UEFI: its bits and whether Secure Boot is on', () => {
    host.write('sys/firmware/efi/fw_platform_size', '64\n');
    expect(inventory().firmware).toEqual({ kind: 'uefi', bits: 64, secureBoot: null });
    const variable = 'sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
    host.write(variable, '');
    for (const on of [0, 1]) {
      host.writeBytes(variable, Uint8Array.of(6, 0, 0, 0, on));
      expect(inventory().firmware.secureBoot).toBe(on === 1);
    }
  });

  test('a BMC: by its address, by the board, or unknown; a watchdog', () => {
    const structure = (type: number, texts = '\0') => [type, 5, 0, 1, 9, ...Buffer.from(`${texts}\0`)];
    host.write('sys/firmware/dmi/tables/DMI', '');
    host.writeBytes(
      'sys/firmware/dmi/tables/DMI',
      Uint8Array.from([...structure(1, 'a\0b\0'), ...structure(38), ...structure(127)]),
    );
    expect(run('smbios_types').split('\n')).toEqual(['1', '38', '127']);
    expect(inventory().bmc).toEqual({ source: 'smbios', address: null });
    host.write('dev/ipmi0', '');
    host.write(
      'bin/ipmitool',
      '#!/bin/sh\nprintf "IP Address Source : DHCP\\nIP Address              : 10.9.0.7\\n"\n',
      0o755,
    );
    expect(inventory().bmc).toEqual({ source: 'ipmi', address: '10.9.0.7' });
    host.write('sys/class/watchdog/watchdog0/identity', 'Software Watchdog\n');
    expect(inventory().watchdog).toBe(false);
    host.write('sys/class/watchdog/watchdog1/identity', 'i6300ESB timer\n');
    expect(inventory().watchdog).toBe(true);
  });

  test.each([...HOSTILE, '\x01\x1f\x7f', '",{"x":1', '\u2028\u{1f600}', '$(touch "$T/x")', '%s%n', '-n'])(
    'the text %j',
    (text) => {
      dmi('product_name', text);
      const { product } = inventory().system;
      expect(product?.trim() ?? '').toBe(text.trim());
    },
  );

  test('bytes that are no UTF-8 are shown as such, and break nothing', () => {
    dmi(
      'product_name',
      Uint8Array.from([
        0x41, 0xff, 0xc0, 0x80, 0xe2, 0x82, 0x42, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xc3, 0x0a,
      ]),
    );
    expect(inventory().system.product).toMatch(/^A\ufffd+B\ufffd+$/);
  });

  test('any bytes give JSON that a decoder reads as it would have read them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
        host.write('text', '');
        host.writeBytes('text', bytes);
        const said = JSON.parse(run('json_bytes < "$T/text"')) as string;
        // How many U+FFFD stand for a broken sequence is left to each decoder.
        const squeezed = (text: string) => text.replaceAll(/\ufffd+/g, '\ufffd');
        expect(squeezed(said)).toBe(squeezed(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)));
      }),
      { numRuns: 15 },
    );
  });

  describe('sending', () => {
    const requests = () =>
      run('cat "$T/requests"')
        .split('\n')
        .filter((line) => line.includes('/inventory'));
    test('once, and again when the machine or the server’s word changed, or after six hours', () => {
      run('send_inventory; send_inventory');
      expect(requests()).toHaveLength(1);
      run('M_SERIAL=1; send_inventory; M_SERIAL=2; send_inventory; send_inventory');
      expect(requests()).toHaveLength(3);
      run('send_inventory; mkdir -p "$T/sys/class/watchdog/watchdog0/device"; send_inventory');
      expect(requests()).toHaveLength(5);
      run('send_inventory; echo "30000.0 1" > "$T/proc/uptime"; send_inventory');
      expect(requests()).toHaveLength(7);
    });
    test('what the server did not take is sent again', () => {
      host.write('status', '429');
      expect(run('send_inventory || echo no; send_inventory || echo no')).toBe('no\nno');
      expect(requests()).toHaveLength(2);
    });
    test('a stranger to the server introduces itself again until it was taken, a minute apart', () => {
      host.write('status', '503');
      const due = 'introduce > /dev/null || echo no';
      expect(run(`INTRODUCED=; ${due}; ${due}; echo "161.0 1" > "$T/proc/uptime"; ${due}`)).toBe(
        'no\nno\nno',
      );
      expect(requests()).toHaveLength(2);
      host.write('status', '200');
      expect(run(`INTRODUCED=100; ${due}; ${due}`)).toBe('no');
      expect(requests()).toHaveLength(3);
    });
    test('a disk is looked at once a boot', () => {
      host.disk('sda', {});
      run('inventory_json > /dev/null; inventory_json > /dev/null');
      expect(run('grep -c "content sda" "$T/calls"')).toBe('1');
    });
    test('a machine that waits reports nothing else', () => {
      run('STANDING=discovered; report_inventory; STANDING=ignored; report_inventory');
      expect(run('ls "$T/run/outbox"')).toBe('');
      run('STANDING=approved; report_inventory; report_inventory');
      expect(run('grep -c kind=inventory "$T/requests"')).toBe('1');
    });
  });
});
