import { writeFile } from 'node:fs/promises';
import { execa } from 'execa';

/** What a disk made here says on the serial port when it is started. */
export const DISK_SPEAKS = /the disk was started/;

const TEXT = '\r\nthe disk was started\r\n\0';
const LOAD_ADDRESS = 0x7c00;
const SECTOR = 512;

/** A disk for BIOS whose boot sector writes to the serial port and stops. */
export async function biosDisk(path: string): Promise<string> {
  const code = (text: number) =>
    [
      [0xfa], //                                    cli
      [0x31, 0xc0, 0x8e, 0xd8], //                  xor ax, ax; mov ds, ax
      [0xbe, text & 0xff, text >> 8], //            mov si, text
      [0xac, 0x08, 0xc0], //                        next: lodsb; or al, al
      [0x74, 0x06], //                              jz end
      [0xba, 0xf8, 0x03, 0xee], //                  mov dx, 0x3f8; out dx, al
      [0xeb, 0xf5], //                              jmp next
      [0xf4, 0xeb, 0xfd], //                        end: hlt; jmp end
    ].flat();
  const sector = Buffer.alloc(SECTOR);
  const program = code(LOAD_ADDRESS + code(0).length);
  Buffer.from(program).copy(sector);
  sector.write(TEXT, program.length, 'latin1');
  sector.writeUInt16LE(0xaa55, SECTOR - 2);
  const disk = Buffer.alloc(2 ** 20);
  sector.copy(disk);
  await writeFile(path, disk);
  return path;
}

/** A disk for UEFI: a volume with our label whose loader is an iPXE that finds its script beside itself. */
export async function uefiDisk(path: string): Promise<string> {
  const script = `${path}.ipxe`;
  await writeFile(script, '#!ipxe\necho the disk was started\nsleep 3600\n');
  await execa('truncate', ['-s', '70M', path]);
  const mtools = (command: string, ...words: string[]) => execa(command, ['-i', path, ...words]);
  await mtools('mformat', '-F', '-v', 'WARMBOOT', '::');
  await mtools('mmd', '::/EFI', '::/EFI/BOOT');
  await mtools('mcopy', '/usr/lib/ipxe/snponly.efi', '::/EFI/BOOT/BOOTX64.EFI');
  await mtools('mcopy', script, '::/EFI/BOOT/autoexec.ipxe');
  return path;
}
