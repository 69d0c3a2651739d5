# shellcheck shell=sh
# A host's other disks: that which an order has moved it from, and what earlier installs have begun. The firmware, or iPXE, may come to one
# of them first. Their GRUB then goes on with the disk that was installed last (grub.cfg, "moved"); all else on them stays as it is.

# put_host_name: by it GRUB of another disk finds this one, which has the slot that the host runs from now on.
put_host_name() {
  : > "$BOOT/warmboot/host-$(host_in_names)" || fail 'the boot partition cannot be written'
}

# host_in_names: the host as FAT can have it in a file's name.
host_in_names() {
  echo "$M_HOST" | tr : -
}

# lead_others_here: to CHOSEN, which has its slot. Where that fails this install is no worse for it.
lead_others_here() {
  local name
  # Of what an earlier install has begun only the server knows how its table is called.
  if [ ! -s "$WB_RUN/layout" ] && ! fetch_layout; then rm -f "$WB_RUN/layout"; fi
  for name in $(all_disks); do
    # A disk that does not answer is not asked, so that it does not hold up the install.
    if may_be_ours "$name" && ! is_chosen "$name"; then lead_here "$name"; fi
  done
}

# is_chosen DISK: or another way to that, or a copy of it, which is the same to GRUB.
is_chosen() {
  [ "$1" = "$CHOSEN" ] || [ "$(table_on "$1")" = "$(table_on "$CHOSEN")" ] \
    || { [ -n "$(disk_wwn "$1")" ] && [ "$(disk_wwn "$1")" = "$(disk_wwn "$CHOSEN")" ]; }
}

# lead_here DISK: if that is this host's too. In a shell of its own: what is mounted stays so.
lead_here() (
  BOOT=$WB_RUN/other/boot STATE=$WB_RUN/other/state
  fail() {
    say "disk $CHOSEN may be started instead of the one to which this host has moved: $1"
    unmount_disk
    exit 1
  }
  if ! is_of_this_host "$1"; then exit; fi
  CHOSEN=$1
  mount_boot "$CHOSEN" rw 2> /dev/null || fail 'its boot partition cannot be mounted'
  # Of another release: until all of it is replaced, the firmware goes on with the next device.
  if ! cmp -s "$WB_LIB/grub/grub.cfg" "$BOOT/grub/grub.cfg"; then
    pass_bios_on
    rm -f "$BOOT/EFI/BOOT/BOOTX64.EFI"
    boot_sync
  fi
  rm -f "$BOOT"/warmboot/host-*
  put_loader "$(device "$CHOSEN")" "moved=$(host_in_names)"
  unmount_disk
  say "disk $CHOSEN, which this host had before, leads to its new one"
)

# is_of_this_host DISK: it was installed as this host, or an install of this host has begun with it.
is_of_this_host() {
  local table
  if is_own "$1"; then return 0; fi
  if [ ! -s "$WB_RUN/layout" ]; then return 1; fi
  table=$(table_on "$1")
  is_named_now "$table" || { is_named_before "$table" && is_untouched "$1"; }
}
