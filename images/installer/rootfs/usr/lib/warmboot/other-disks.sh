# shellcheck shell=sh
# A host's other disks: that which an order has moved it from, and what earlier installs have begun. The firmware, or iPXE, may come to one
# of them first. Their GRUB goes on with the disk that was installed last (grub.cfg, "host"); all else on them stays as it is.

# put_host_name: by it GRUB of another disk finds this one, which has the slot that the host runs from now on.
put_host_name() {
  { true > "$BOOT/warmboot/host-$(host_in_names)" && boot_sync; } || fail 'the boot partition cannot be written'
}

# host_in_names: the host as FAT can have it in a file's name.
host_in_names() {
  echo "$M_HOST" | tr : -
}

# So long one of them may take. A disk that fails, as one may that a host is moved from, can hold up a write for ever.
LEAD_SECONDS=60

# lead_others_here: to CHOSEN, which has its slot. Where that fails this install is no worse for it.
lead_others_here() {
  local name
  # Of what an earlier install has begun only the server knows how its table is called.
  if [ ! -s "$WB_RUN/layout" ] && ! fetch_layout; then rm -f "$WB_RUN/layout"; fi
  for name in $(readable_disks); do
    if [ "$name" != "$CHOSEN" ] && may_be_ours "$name"; then in_time "$name" lead_here "$name"; fi
  done
}

# in_time DISK COMMAND…: in the background, and left to itself when it takes too long. Nothing waits for that disk any more then.
in_time() {
  local name work since ended
  name=$1 ended=$WB_RUN/other/$1/ended
  shift
  rm -f "$ended"
  mkdir -p "${ended%/*}"
  ( "$@"; true > "$ended" ) &
  work=$! since=$(uptime_seconds)
  while [ ! -e "$ended" ] && kill -0 "$work" 2> /dev/null; do
    if [ $(($(uptime_seconds) - since)) -ge "$LEAD_SECONDS" ]; then
      say "disk $name does not answer, and may be started instead of $CHOSEN"
      true > "$WB_RUN/hangs"
      kill "$work"
      return 1
    fi
    sleep 0.2
  done
}

# is_chosen DISK: another way to CHOSEN, or a copy of it, which is the same to GRUB.
is_chosen() {
  is_same_disk "$1" || [ "$(table_on "$1")" = "$(table_on "$CHOSEN")" ]
}

# is_same_disk DISK: as CHOSEN; two ways to one disk have one WWN.
is_same_disk() {
  [ "$1" = "$CHOSEN" ] || { [ -n "$(disk_wwn "$1")" ] && [ "$(disk_wwn "$1")" = "$(disk_wwn "$CHOSEN")" ]; }
}

# twin: another disk with the table of this very install, which an earlier try has begun: under its names no kernel could tell the two apart.
# One with the serial and the size of CHOSEN is left alone: it may be CHOSEN by another way.
twin() {
  local name serial
  serial=$(disk_serial "$CHOSEN")
  for name in $(readable_disks); do
    if ! may_be_ours "$name" || is_same_disk "$name"; then continue; fi
    if [ -n "$serial" ] && [ "$(disk_serial "$name") $(disk_bytes "$name")" = "$serial $(disk_bytes "$CHOSEN")" ]; then continue; fi
    if is_named_now "$(table_on "$name")"; then echo "$name"; return; fi
  done
}

# lead_here DISK: if that is this host's too. In a shell of its own: what is mounted stays so.
lead_here() (
  BOOT=$WB_RUN/other/$1/boot STATE=$WB_RUN/other/$1/state
  fail() {
    say "disk $CHOSEN cannot be made to lead to the host's new one, and may be started instead: $1"
    unmount_disk
    exit 1
  }
  # An earlier try that hung may still have it.
  if is_mounted "$BOOT" || is_mounted "$STATE"; then exit; fi
  if is_chosen "$1" || ! is_of_this_host "$1"; then exit; fi
  CHOSEN=$1
  if is_write_protected "$CHOSEN"; then fail 'it takes no writes'; fi
  mount_boot "$CHOSEN" rw 2> /dev/null || fail 'its boot partition cannot be mounted'
  # Of another release: until all of it is replaced, the firmware goes on with the next device.
  if ! { cmp -s "$WB_LIB/grub/grub.cfg" "$BOOT/grub/grub.cfg" && cmp -s "$WB_LIB/grub/BOOTX64.EFI" "$BOOT/EFI/BOOT/BOOTX64.EFI"; }; then
    pass_bios_on
    rm -f "$BOOT/EFI/BOOT/BOOTX64.EFI"
    boot_sync
  fi
  put_loader "$(device "$CHOSEN")" "moved=$(host_in_names)"
  # As long as that file is there, GRUB takes this disk for the host's.
  rm -f "$BOOT"/warmboot/host-* && boot_sync && ! ls "$BOOT"/warmboot/host-* > /dev/null 2>&1 || fail 'its boot partition cannot be written'
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
