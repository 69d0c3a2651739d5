import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, INSTALL, INSTALLER, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

const MIB = 1024 ** 2;
const PARTS = [join(INSTALLER, 'choose-disk.sh')];
/** Disks' contents are files here. */
const NODES =
  'own_disk_came() { return 1; }; device() { case $1 in *[0-9]) echo "/dev/$1" ;; *) echo "$T/dev-$1" ;; esac; }\n';

describe.each(SHELLS)('in %s', (...shell) => {
  const choose = (rule: string) =>
    host.run(
      shell,
      `${NODES}if choose_disk "${rule}"; then echo "$CHOSEN"; else echo "refused: $REASON"; fi`,
      PARTS,
    ).out;

  test('takes the smallest of the fixed disks', () => {
    host.disk('sda', { size: '9000000' });
    host.disk('sdb', { size: '8000000' });
    host.disk('nvme0n1', { size: '8500000' });
    expect(choose('smallest')).toBe('sdb');
  });

  test('limits: the smallest that is large enough, and none that is too large', () => {
    // As they are sold: 120, 480 and 960 GB.
    host.disk('sda', { size: '234441648' });
    host.disk('sdb', { size: '937703088' });
    host.disk('sdc', { size: '1875385008' });
    for (const name of ['sda', 'sdb', 'sdc']) host.write(`dev-${name}`, '\0'.repeat(MIB));
    expect(choose('smallest,min=200GB')).toBe('sdb');
    expect(choose('smallest,max=2TB,min=500GB')).toBe('sdc');
    expect(choose('smallest,min=480GB')).toBe('sdb');
    expect(choose('smallest,min=480GiB')).toBe('sdc');
    expect(choose('smallest,max=100GiB')).toMatch(/^refused: no disk fits the rule 'smallest,max=100GiB'/);
    expect(choose('first-empty,min=121GB')).toBe('sdb');
    expect(choose('path=$T/dev-sdc,max=1TB')).toBe('sdc');
    expect(choose('path=$T/dev-sdc,max=500GB')).toMatch(/^refused/);
  });

  test.each([
    'largest',
    'smallest,least=1GB',
    'smallest,min=1G',
    'smallest,min=GB',
    'smallest,min=',
    'smallest,max=99999999999999999999GB',
    'smallest>=200GB',
    'first-empty,serial=x',
    'min=1GB',
    '',
  ])('a rule that is not known is refused, with disks or without: %s', (rule) => {
    const said = /^refused: this installer does not know '.*' in the disk rule '.*'; build it anew/;
    expect(choose(rule)).toMatch(said);
    host.disk('sda', { size: '8000000' });
    expect(choose(rule)).toMatch(said);
  });

  test('what can be pulled out is taken when the order names it', () => {
    host.disk('sda', { 'device/vpd_pg80': '\0\u0080\0\u0004STICK' }, [], 'pci0/usb1/1-1');
    host.disk('sdb', { removable: '1', 'device/wwid': 'naa.5000c50' });
    expect(choose('smallest')).toMatch(/sda \(.*can be pulled out: only by name\); sdb \(/);
    expect(['serial=STICK', 'wwn=5000c50', 'path=$T/dev-sda'].map(choose)).toEqual(['sda', 'sdb', 'sda']);
  });

  test('one serial on two disks is refused; two ways to one disk are not', () => {
    host.disk('sda', { serial: '0000', wwid: 'naa.1' });
    host.disk('sdb', { serial: '0000', wwid: 'naa.2' });
    expect(choose('serial=0000')).toMatch(/^refused: more than one disk fits the rule 'serial=0000'/);
    host.disk('sdc', { serial: 'S', wwid: 'naa.3' });
    host.disk('sdd', { serial: 'S', wwid: 'naa.3' });
    expect(choose('serial=S')).toBe('sdc');
    host.disk('sde', { serial: 'T' });
    host.disk('sdf', { serial: 'T' });
    expect(choose('serial=T')).toMatch(/^refused: more than one disk/);
  });

  test.each([
    ['first-empty', '', 'sdb'],
    ['smallest', '', 'sdb'],
    ['smallest,max=1GB', '', 'sda'],
    ['path=$T/dev-sda', '', 'sda'],
    // An order for another host that is this machine too.
    ['smallest', 'M_HOST=other', 'sda'],
    ['first-empty', 'M_HOST=other', 'sda'],
  ])('a host stays on its own disk: %s %s', (rule, other, chosen) => {
    host.disk('sda', { size: '1000000' });
    host.disk('sdb', { size: '2000000' }, ['warmboot-bios', 'warmboot-boot', 'warmboot-state']);
    host.write('dev-sda', '\0'.repeat(MIB));
    const own = `OWN_DISK=sdb OWN_HOST=mine M_HOST=mine; ${other}`;
    const script = `${NODES}${own}\nchoose_disk "${rule}"; echo "$CHOSEN"`;
    expect(host.run(shell, script, PARTS).out).toBe(chosen);
  });

  test('a refusal says what disks there are, with what an order can name them by', () => {
    host.disk('sda', { size: '937703088', 'device/model': 'ACME SSD 480  ', serial: 'S-1' }, ['sys', 'home']);
    host.disk('nvme0n1', { size: '7501476528', 'device/model': 'Fast' });
    host.write('dev-sda', 'x'.repeat(MIB));
    host.write('signatures', 'gpt\n');
    expect(choose('serial=none')).toBe(
      "refused: no disk fits the rule 'serial=none'; there are: nvme0n1 (3.8 TB, Fast, unreadable); sda (480 GB, ACME SSD 480, serial S-1, foreign: gpt, 2 partitions)",
    );
    const order =
      'M_INSTALL_DISK=smallest M_INSTALL_WIPE=false OWN_DISK= OWN_HOST=; is_half_made() { return 1; }';
    expect(
      host.run(shell, `${NODES}${order}\ninstall_allowed || echo "$REASON"`, [...PARTS, ...INSTALL]).out,
    ).toMatch(
      /^disk sda \(480 GB, ACME SSD 480, serial S-1, foreign: gpt, 2 partitions\) is not empty and not this host's; the order would have to say wipe, or name another: nvme0n1 /,
    );
    for (let n = 0; n < 20; n++) host.disk(`vd${String.fromCharCode(97 + n)}`, {});
    expect(choose('serial=none').length).toBeLessThan(1900);
    expect(choose('serial=none')).toMatch(/and more, 22 in all$/);
  });

  describe('a disk that an earlier try has begun', () => {
    /** Looks twice, not 16 times, for a disk that is missed. `sfdisk -d` says of each disk what lies in `table-NAME`; the server, which tables are of this host's tries. */
    const finds = (rule: string, more = '') =>
      host.run(
        shell,
        `${NODES}M_INSTALL_DISK=${rule} M_INSTALL_WIPE=false OWN_DISK= OWN_HOST= M_HOST=mine
        sfdisk() { cat "$T/table-\${2##*dev-}"; }
        fetch_layout() { HTTP_STATUS=200; printf 'label-id: NOW\n# earlier: BEFORE\n# earlier: 0xold\n' > "$WB_RUN/layout"; }
        own_disk_came() { return 1; }
        sleep() { tries=15; }
        plug_in() { :; }
        ${more}
        install_allowed && echo "$CHOSEN" || echo "$? $REASON"`,
        [...PARTS, ...INSTALL],
      ).out;
    beforeEach(() => {
      for (const name of ['sda', 'sdb', 'sdc']) {
        host.disk(name, { size: '1000000' });
        host.write(`dev-${name}`, '\0'.repeat(MIB));
      }
    });
    const holds = (name: string, table: string) => {
      host.write(`table-${name}`, `label: gpt\nlabel-id: ${table}\n`);
      host.write(`dev-${name}`, 'x'.repeat(MIB));
    };

    test('by this very install comes before one that is as good', () => {
      holds('sdc', 'now');
      expect([finds('smallest'), finds('first-empty')]).toEqual(['sdc', 'sdc']);
      const wipe = 'M_INSTALL_WIPE=true';
      expect([finds('smallest', wipe), finds('first-empty', wipe)]).toEqual(['sdc', 'sdc']);
      expect(finds('serial=none')).toMatch(/^1 no disk fits/);
      host.write('sys/class/block/sdc/size', '1000001');
      expect([finds('smallest'), finds('first-empty')]).toEqual(['sda', 'sdc']);
      expect(finds('first-empty,max=1MB')).toMatch(/^1 no disk fits/);
      expect(finds('smallest', wipe)).toBe('sda');
    });

    test.each(['before', '0xOLD'])(
      'by an earlier install that came to nothing is taken where no empty one is left: %s',
      (table) => {
        rmSync(host.path('sys/class/block/sdc'));
        host.disk('sdc', { size: '1000000' }, ['warmboot-boot', 'warmboot-state', 'warmboot-a']);
        holds('sdc', table);
        expect([finds('smallest'), finds('first-empty')]).toEqual(['sda', 'sda']);
        for (const name of ['sda', 'sdb']) holds(name, 'somebody');
        expect(finds('first-empty')).toBe('sdc');
        expect(finds('smallest')).toMatch(/^1 disk sda .* is not empty/);
      },
    );

    test.each([
      ['has a slot with a system', 'probe() { echo ext4; }'],
      ['has a signature that is not the table', 'wipefs() { echo linux_raid_member; }'],
      ['cannot be asked for signatures', 'wipefs() { return 1; }'],
      ['has no partitions that the kernel sees', 'partition_on() { return 1; }'],
    ])('by an earlier install is somebody else’s since when it %s', (_, self) => {
      rmSync(host.path('sys/class/block/sdc'));
      host.disk('sdc', { size: '1000000' }, ['warmboot-boot', 'warmboot-state', 'warmboot-a']);
      for (const name of ['sda', 'sdb']) holds(name, 'somebody');
      holds('sdc', 'before');
      expect(finds('first-empty', self)).toMatch(/^1 no disk fits/);
      expect(finds('path=$T/dev-sdc', self)).toMatch(
        /^1 disk sdc .*(is not empty and not this host's|cannot be read)/,
      );
      expect(finds('path=$T/dev-sdc')).toBe('sdc');
    });

    test('by an earlier install before its boot partition had the label by which an msdos disk is known', () => {
      for (const name of ['sda', 'sdb']) holds(name, 'somebody');
      holds('sdc', '0xold');
      const script = `read_roles() { ROLES=' warmboot-boot=sdc1 warmboot-state=sdc2 warmboot-a=sdc3'; }`;
      expect(finds('first-empty', script)).toBe('sdc');
    });

    test('is not known while the server does not answer: no other is begun meanwhile, for an hour', () => {
      holds('sdc', 'now');
      const silent = 'fetch_layout() { HTTP_STATUS=503; return 1; }; report() { echo "$*"; }';
      for (const rule of ['smallest', 'first-empty'])
        expect(finds(rule, silent)).toMatch(/^progress phase=partition\n2 whether disk sdc/);
      expect(finds('smallest', `${silent}; ASKED_SINCE=-4000`)).toMatch(
        /^1 whether disk sdc .* does not answer$/,
      );
    });
  });

  test('of two disks of this host the order may name either: both are its own', () => {
    for (const name of ['sda', 'sdb'])
      host.disk(name, { serial: name }, ['warmboot-bios', 'warmboot-boot', 'warmboot-state']);
    const chosen = (owner: string) =>
      host.run(
        shell,
        `${NODES}M_INSTALL_DISK=serial=sdb M_INSTALL_WIPE=false OWN_DISK=sda OWN_HOST=mine M_HOST=mine
        read_state() { mkdir -p "$STATE"; echo ${owner} > "$STATE/host"; }
        is_half_made() { return 1; }
        if install_allowed; then echo "$CHOSEN, not $OWN_DISK"; else echo "$REASON"; fi`,
        [...PARTS, ...INSTALL],
      ).out;
    expect(chosen('mine')).toBe('sdb, not sda');
    expect(chosen('another')).toMatch(/^disk sdb .* is not empty and not this host's/);
  });

  test('whether it is a try of this same install is asked again where the server does not answer', () => {
    host.disk('sda', {}, ['sys']);
    host.write('dev-sda', 'x'.repeat(MIB));
    host.write('signatures', 'gpt\n');
    const allowed = (status: string) =>
      host.run(
        shell,
        `${NODES}M_INSTALL_DISK=smallest M_INSTALL_WIPE=false OWN_DISK= OWN_HOST=
        own_disk_came() { return 1; }
        sfdisk() { echo 'label-id: some'; }
        fetch_layout() { HTTP_STATUS=${status}; return 1; }
        install_allowed; echo "$?"`,
        [...PARTS, ...INSTALL],
      ).out;
    expect(['000', '503', '429', '404'].map(allowed)).toEqual(['2', '2', '2', '1']);
  });

  test('never takes what can be pulled out, is read-only, empty, virtual or hidden', () => {
    host.disk('sda', { size: '100', removable: '1' });
    host.disk('sdb', { size: '100', ro: '1' });
    host.disk('sdc', { size: '0' });
    host.disk('sdd', { size: '100' }, [], 'pci0/usb1/1-1');
    host.disk('mmcblk0', { size: '100', 'device/type': 'SD' });
    for (const name of ['loop0', 'ram0', 'zram0', 'dm-0', 'md0', 'sr0', 'nbd0', 'mmcblk0boot0'])
      host.disk(name, { size: '100' });
    host.disk('nvme0c0n1', { size: '100', hidden: '1' });
    expect(choose('smallest')).toMatch(/^refused: no disk fits/);
    host.disk('sdz', { size: '8000000' });
    expect(choose('smallest')).toBe('sdz');
  });

  test('partitions are no disks', () => {
    host.disk('sda', {}, ['warmboot-boot']);
    expect(host.run(shell, 'candidates', PARTS).out).toBe('sda');
  });

  test('takes a disk by its serial, from any of the places the kernel shows it', () => {
    host.disk('vda', { serial: 'V 1' });
    host.disk('nvme0n1', { 'device/serial': 'N1   ' });
    host.disk('sda', { 'device/vpd_pg80': '\0\u0080\0\u0004  S1' });
    expect(['serial=V1', 'serial=N1', 'serial=S1', 'serial=1'].map(choose)).toEqual([
      'vda',
      'nvme0n1',
      'sda',
      expect.stringMatching(/^refused/),
    ]);
  });

  test('takes a disk by its WWN, with or without the prefix, in any case', () => {
    host.disk('sda', { 'device/wwid': 'naa.5000C500A1B2C3D4' });
    host.disk('nvme0n1', { wwid: 'eui.0025388b01' });
    expect(['wwn=0x5000c500a1b2c3d4', 'wwn=naa.5000c500a1b2c3d4', 'wwn=0025388B01'].map(choose)).toEqual([
      'sda',
      'sda',
      'nvme0n1',
    ]);
  });

  test('takes a disk by its node', () => {
    host.disk('sdb', {});
    expect(host.run(shell, 'choose_disk path=/dev/sdb && echo "$CHOSEN"', PARTS).out).toBe('sdb');
  });

  test('empty means: no table, no signature, nothing but zeros in front', () => {
    host.disk('sda', {});
    host.disk('sdb', {});
    host.disk('sdc', {}, ['warmboot-bios', 'warmboot-boot', 'warmboot-state']);
    host.write('dev-sda', `${'\0'.repeat(5000)}somebody's data${'\0'.repeat(MIB)}`);
    host.write('dev-sdb', '\0'.repeat(MIB));
    const content = (name: string) => host.run(shell, `${NODES}disk_content ${name}`, PARTS).out;
    expect(['sda', 'sdb', 'sdc'].map(content)).toEqual(['foreign', 'empty', 'warmboot']);
    expect(choose('first-empty')).toBe('sdb');
    host.write('signatures', 'ext4\n');
    expect(content('sdb')).toBe('foreign');
  });

  test('a disk that cannot be read is not an empty one, and only wipe takes it', () => {
    for (const name of ['sda', 'sdb', 'sdc']) host.disk(name, {});
    host.write('dev-sda', '\0'.repeat(MIB));
    // A read error after 64 KiB; and a disk of which not one byte comes.
    host.write('dev-sdb', '\0'.repeat(65536));
    host.write('wipefs', '1');
    const content = (name: string) => host.run(shell, `${NODES}disk_content ${name}`, PARTS).out;
    expect(['sda', 'sdb', 'sdc'].map(content)).toEqual(['unreadable', 'unreadable', 'unreadable']);
    host.write('wipefs', '0');
    expect(['sda', 'sdb', 'sdc'].map(content)).toEqual(['empty', 'unreadable', 'unreadable']);
    expect(choose('first-empty')).toBe('sda');
    const order = (wipe: boolean) =>
      host.run(
        shell,
        `${NODES}M_INSTALL_DISK=path=$T/dev-sdb M_INSTALL_WIPE=${wipe} OWN_DISK= OWN_HOST=
        if install_allowed; then echo "$CHOSEN"; else echo "refused: $REASON"; fi`,
        [...PARTS, ...INSTALL],
      ).out;
    expect(order(false)).toMatch(/^refused: disk sdb \(.*, unreadable\) cannot be read/);
    expect(order(true)).toBe('sdb');
  });

  test.each([
    ['52:54:00:00:00:01', 'false', 'taken'],
    // The same machine, by the record of another of its cards.
    ['52:54:00:00:00:02', 'false', expect.stringMatching(/not this host's/)],
    ['52:54:00:00:00:02', 'true', 'taken'],
  ])("this machine's disk, an order for %s, wipe %s: %s", (of, wipe, said) => {
    host.disk('sda', {}, ['warmboot-bios', 'warmboot-boot', 'warmboot-state']);
    const order = `M_HOST=${of}; M_INSTALL_WIPE=${wipe}; M_INSTALL_DISK=smallest`;
    const known = 'OWN_DISK=sda; OWN_HOST=52:54:00:00:00:01; is_half_made() { return 1; }';
    const parts = [...PARTS, ...INSTALL];
    const script = `${NODES}${order}; ${known}; if install_allowed; then echo taken; else echo "$REASON"; fi`;
    expect(host.run(shell, script, parts).out).toEqual(said);
  });

  test('sizes are bytes whatever the sectors are', () => {
    host.disk('sda', { size: '8388608', 'queue/logical_block_size': '4096' });
    expect(host.run(shell, 'disk_bytes sda; disk_sector sda', PARTS).out).toBe('4294967296\n4096');
  });
});
