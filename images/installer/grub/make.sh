#!/bin/sh
# make.sh OUT: BOOTX64.EFI, grub.cfg, and for each kind of partition table boot-TABLE.img and core-TABLE.img, ready to be
# written: GPT has a BIOS boot partition from sector 2048 on, msdos the gap behind its table, from sector 1 on.
# grub-bios-setup wants a real disk; what it would write into the two images is small and fixed, so it is written here.
set -eu
out=$1
here=$(dirname "$0")
modules="part_gpt part_msdos fat normal configfile linux loadenv serial terminal test true echo eval search search_fs_file sleep reboot halt ls cat minicmd"

# poke FILE OFFSET BYTES: little-endian bytes, as octal escapes of printf.
poke() {
  # shellcheck disable=SC2059 # the escapes are the point
  printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2> /dev/null
}

# sector NUMBER: as an u64.
sector() {
  printf '\\%03o\\%03o\\0\\0\\0\\0\\0\\0' $(($1 & 255)) $(($1 >> 8))
}

# for_bios TABLE CORE-SECTOR MOST-BYTES BOOT-PARTITION
for_bios() {
  # A prefix without a drive: GRUB puts in the one it was started from, so two Warmboot disks in one machine stay apart.
  # shellcheck disable=SC2086 # a list of modules
  grub-mkimage -d /usr/lib/grub/i386-pc -O i386-pc -p "(,$4)/grub" -o "$out/core-$1.img" biosdisk vga $modules
  # boot.img: 0x5c u64 sector of core.img; 0x66 two NOPs: believe the drive number that the BIOS gives.
  cp /usr/lib/grub/i386-pc/boot.img "$out/boot-$1.img"
  poke "$out/boot-$1.img" $((0x5c)) "$(sector "$2")"
  poke "$out/boot-$1.img" $((0x66)) '\220\220'
  # core.img: 0x1f4 u64 sector of its rest, u16 how many sectors, u16 segment 0x820 they go to.
  rest=$((($(wc -c < "$out/core-$1.img") + 511) / 512 - 1))
  poke "$out/core-$1.img" $((0x1f4)) "$(sector $(($2 + 1)))"
  poke "$out/core-$1.img" $((0x1fc)) "$(printf '\\%03o\\%03o\\040\\010' $((rest & 255)) $((rest >> 8)))"
  [ "$(wc -c < "$out/core-$1.img")" -le "$3" ]
}

for_bios gpt 2048 $((1024 * 1024)) gpt2
for_bios msdos 1 $((2047 * 512)) msdos1
# Without any device: the partition that the firmware loaded it from, whatever the table.
# shellcheck disable=SC2086 # a list of modules
grub-mkimage -d /usr/lib/grub/x86_64-efi -O x86_64-efi -p /grub -o "$out/BOOTX64.EFI" $modules efi_gop efi_uga
cp "$here/grub.cfg" "$out/grub.cfg"
