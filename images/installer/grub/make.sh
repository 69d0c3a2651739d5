#!/bin/sh
# make.sh OUT: BOOTX64.EFI, boot.img and core.img, as they go on a disk whose BIOS boot partition starts at sector 2048.
# grub-bios-setup wants a real disk; what it would write into the two images is small and fixed, so it is written here.
set -eu
out=$1
here=$(dirname "$0")
core_lba=2048
common="part_gpt fat normal configfile linux loadenv serial terminal test true echo eval sleep reboot halt ls cat minicmd"
# Prefix without a drive: GRUB puts in the one it was started from, so two Warmboot disks in one machine stay apart.
# shellcheck disable=SC2086 # a list of modules
grub-mkimage -d /usr/lib/grub/x86_64-efi -O x86_64-efi -p '(,gpt2)/grub' -o "$out/BOOTX64.EFI" $common efi_gop efi_uga
# shellcheck disable=SC2086 # a list of modules
grub-mkimage -d /usr/lib/grub/i386-pc -O i386-pc -p '(,gpt2)/grub' -o "$out/core.img" biosdisk vga $common

# poke FILE OFFSET BYTES: little-endian bytes, as octal escapes of printf.
poke() {
  # shellcheck disable=SC2059 # the escapes are the point
  printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2> /dev/null
}

# boot.img: 0x5c u64 sector of core.img; 0x66 two NOPs: believe the drive number that the BIOS gives.
cp /usr/lib/grub/i386-pc/boot.img "$out/boot.img"
poke "$out/boot.img" $((0x5c)) '\000\010\000\000\000\000\000\000'
poke "$out/boot.img" $((0x66)) '\220\220'

# core.img: 0x1f4 u64 sector of its rest, u16 how many sectors, u16 segment 0x820 they go to.
sectors=$((($(wc -c < "$out/core.img") + 511) / 512 - 1))
poke "$out/core.img" $((0x1f4)) "$(printf '\\%03o\\%03o\\0\\0\\0\\0\\0\\0' $(((core_lba + 1) & 255)) $(((core_lba + 1) >> 8)))"
poke "$out/core.img" $((0x1fc)) "$(printf '\\%03o\\%03o\\040\\010' $((sectors & 255)) $((sectors >> 8)))"
[ "$(wc -c < "$out/core.img")" -le $((1024 * 1024)) ]
cp "$here/grub.cfg" "$out/grub.cfg"
