import type { Ovmf } from './firmware.ts';
import type { Accelerator } from './kvm.ts';
import { type Ailments, DISK_WWN, type Machine, type MachineFiles, QMP_FD } from './machine.ts';

const NIC_MODELS = {
  virtio: 'virtio-net-pci',
  e1000: 'e1000',
  e1000e: 'e1000e',
  rtl8139: 'rtl8139',
  // The one emulated card whose Linux driver does not work without a firmware file.
  i82551: 'i82551',
} as const;

/** iPXE as a disc; written to a stick it is the same bytes. From the package `ipxe`. */
const IPXE_DISC = '/usr/lib/ipxe/ipxe.iso';

const BEGINS_AGAIN_MS = 20_000;

/** QEMU's program and arguments. What the machine starts from is tried first and then the disk, as on a server that is netbooted for its whole life. */
export function qemuArguments(
  parts: Machine,
  files: MachineFiles,
  accelerator: Accelerator,
  ovmf: Ovmf | null,
  { clock, disk }: Ailments = {},
): { readonly program: string; readonly args: string[] } {
  const board = boardOf(parts, accelerator);
  const args = ['-name', parts.name, ...board.args];
  args.push('-smp', String(accelerator.processors), '-m', String(parts.memoryMiB));
  args.push('-nodefaults', '-display', 'none');
  args.push(
    '-uuid',
    uuidOf(parts.mac),
    '-smbios',
    `type=1,manufacturer=Warmboot,product=Lab,serial=${parts.name}`,
  );
  if (ovmf !== null) {
    args.push('-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${ovmf.code}`);
    args.push('-drive', `if=pflash,unit=1,format=raw,file=${files.variables}`);
  }
  // Without random numbers OVMF has no network stack, and a fresh system waits for entropy.
  args.push('-device', 'virtio-rng-pci');
  args.push(...networkCards(parts, files.taps), ...startMedium(parts));

  // A server that found nothing to start from begins again; without it SeaBIOS stops for good.
  if (parts.firmware === 'bios') args.push('-boot', `reboot-timeout=${BEGINS_AGAIN_MS}`);

  for (let i = 0; i < parts.disksBefore; i += 1) {
    args.push('-blockdev', `driver=null-co,node-name=before${i},size=67108864,read-zeroes=on`);
    args.push('-device', `virtio-blk-pci,drive=before${i},bootindex=${2 + i}`);
  }
  if (parts.watchdog) {
    args.push('-device', 'i6300esb', '-action', 'watchdog=reset');
    // The board's own (iTCO_wdt) does not say afterwards that it reset the machine. QEMU before 8.0 keeps it all the same.
    args.push('-global', 'ICH9-LPC.enable_tco=off');
  }
  if (clock !== undefined) args.push('-rtc', `base=${clock}`);
  args.push(...driveOf(files, disk), ...diskDevice(parts), ...disksBeside(parts));

  args.push('-chardev', `file,id=serial0,path=${files.serial},append=on`, '-serial', 'chardev:serial0');
  // A socket without a name: nothing to clean up, and no limit to the length of its path.
  args.push('-chardev', `socket,id=qmp0,fd=${QMP_FD}`, '-mon', 'chardev=qmp0,mode=control');
  return { program: board.program, args };
}

/** Not flushing to the real disk is safe here: the virtual power cord is pulled, never that of the machine below. */
function driveOf({ disk, diskFormat }: MachineFiles, fault: Ailments['disk']): string[] {
  const thin = 'discard=unmap,detect-zeroes=unmap';
  if (fault === undefined || fault === 'read-only') {
    const more = fault === undefined ? '' : ',readonly=on';
    return ['-drive', `file=${disk},format=${diskFormat},if=none,id=disk0,cache=unsafe,${thin}${more}`];
  }
  const error = [
    `iotype=${fault.fails}`,
    'event=none',
    'errno=5',
    `sector=${fault.sector}`,
    'once=off',
    'immediately=off',
  ];
  return [
    ...['-blockdev', `driver=file,node-name=disk0-file,filename=${disk},cache.no-flush=on,discard=unmap`],
    ...['-blockdev', `driver=${diskFormat},node-name=disk0-whole,file=disk0-file,${thin}`],
    '-blockdev',
    [
      'driver=blkdebug,node-name=disk0,image=disk0-whole',
      ...error.map((each) => `inject-error.0.${each}`),
    ].join(),
  ];
}

/** `graphics=off` sends SeaBIOS and the iPXE ROM to the serial port. */
function boardOf(
  { processor }: Machine,
  accelerator: Accelerator,
): { readonly program: string; readonly args: readonly string[] } {
  const program = 'qemu-system-x86_64';
  const machine = ['-machine', 'q35,graphics=off'];
  switch (processor) {
    case 'x86-64':
      return { program, args: [...machine, ...accelerator.qemuArgs] };
    case 'x86-32':
      return { program, args: [...machine, '-accel', 'tcg', '-cpu', 'qemu32'] };
    case 'arm64':
      // A processor with random numbers, or the firmware has no network stack; its pointer authentication is slow to translate.
      return {
        program: 'qemu-system-aarch64',
        args: ['-machine', 'virt', '-accel', 'tcg,thread=multi', '-cpu', 'max,pauth-impdef=on'],
      };
    default:
      return processor satisfies never;
  }
}

function networkCards(parts: Machine, taps: readonly string[]): string[] {
  const { firmware, nic, mac, moreMacs, deadCards, start } = parts;
  const netboots = start === 'pxe' || start === 'http';
  // OVMF has its own driver for virtio; with the ROM's iPXE driver out of the way nothing but the firmware itself netboots.
  const rom = !netboots || (firmware === 'uefi' && nic === 'virtio') ? ',romfile=' : '';
  const args: string[] = [];
  for (let at = 0; at < deadCards; at += 1)
    args.push('-device', `${NIC_MODELS[nic]},mac=52:54:00:00:de:0${at},romfile=`);
  for (const [at, each] of [mac, ...moreMacs].entries()) {
    const order = netboots && at === 0 ? ',bootindex=1' : '';
    args.push('-netdev', `tap,id=net${at},ifname=${taps[at]},script=no,downscript=no`);
    args.push('-device', `${NIC_MODELS[nic]},netdev=net${at},mac=${each}${order}${rom}`);
  }
  // What a firmware set-up's "HTTP boot only" does: else PXE over IPv4 and IPv6 come before it.
  const pxe = ['IPv4PXESupport', 'IPv6PXESupport'];
  if (start === 'http')
    for (const name of pxe) args.push('-fw_cfg', `name=opt/org.tianocore/${name},string=n`);
  return args;
}

function startMedium({ start }: Machine): string[] {
  const medium = `file=${IPXE_DISC},format=raw,readonly=on,if=none,id=medium`;
  switch (start) {
    case 'disc':
      return ['-drive', `${medium},media=cdrom`, '-device', 'ide-cd,bus=ide.1,drive=medium,bootindex=1'];
    case 'stick':
      return ['-drive', medium, '-device', 'qemu-xhci', '-device', 'usb-storage,drive=medium,bootindex=1'];
    case 'pxe':
    case 'http':
      return [];
    default:
      return start satisfies never;
  }
}

function diskDevice({ disk, name, sectorBytes, disksBefore }: Machine): string[] {
  const sectors =
    sectorBytes === 512 ? '' : `,logical_block_size=${sectorBytes},physical_block_size=${sectorBytes}`;
  const rest = `drive=disk0,serial=${name}-disk,bootindex=${2 + disksBefore}${sectors}`;
  const named = `${rest},wwn=0x${DISK_WWN}`;
  switch (disk) {
    case 'virtio':
      return ['-device', `virtio-blk-pci,${rest}`];
    case 'ahci':
      return ['-device', `ide-hd,bus=ide.0,${named}`];
    case 'nvme':
      return ['-device', `nvme,${rest}`];
    case 'scsi':
      return ['-device', 'virtio-scsi-pci,id=scsi0', '-device', `scsi-hd,bus=scsi0.0,${named}`];
    case 'megasas':
    case 'mptsas': {
      const controller = disk === 'megasas' ? 'megasas' : 'mptsas1068';
      return ['-device', `${controller},id=scsi0`, '-device', `scsi-hd,bus=scsi0.0,${named}`];
    }
    case 'usb':
      return ['-device', 'qemu-xhci,id=usb0', '-device', `usb-storage,bus=usb0.0,${rest}`];
    default:
      return disk satisfies never;
  }
}

function disksBeside({ beside, name }: Machine): string[] {
  return beside.flatMap(({ file, bus }, at) => {
    const rest = `drive=beside${at},serial=${name}-beside${at}`;
    const device =
      bus === 'usb'
        ? ['-device', `qemu-xhci,id=usbbeside${at}`, '-device', `usb-storage,bus=usbbeside${at}.0,${rest}`]
        : ['-device', `virtio-blk-pci,${rest}`];
    return ['-drive', `file=${file},format=raw,if=none,id=beside${at},cache=unsafe`, ...device];
  });
}

/** A board keeps its UUID; ours follows from the MAC. */
function uuidOf(mac: string): string {
  return `77617262-6f6f-4000-8000-${mac.replaceAll(':', '').toLowerCase()}`;
}
