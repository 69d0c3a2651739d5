# shellcheck shell=sh
# Drivers, as the hardware asks for them.

# busybox's own stands before PATH, hence kmod's by its path.
MODPROBE=${MODPROBE:-/usr/sbin/modprobe}

load_drivers() {
  local round
  # A driver uncovers a bus with more hardware on it: a second look finds what the first one brought up.
  for round in 1 2; do
    plug_in
  done
  "$MODPROBE" -aq ipmi_devintf efivarfs vfat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8 ext4
  if [ -d "$WB_SYS/firmware/efi/efivars" ]; then
    mount -t efivarfs -o ro,nosuid,nodev,noexec efivarfs "$WB_SYS/firmware/efi/efivars" 2> /dev/null || :
  fi
}

# plug_in: an alias may hold quotes, for a machine's maker may be called so; xargs would take them for its own.
plug_in() {
  find "$WB_SYS/devices" -name modalias -exec cat {} + 2> /dev/null | sort -u | tr '\n' '\0' | xargs -0 "$MODPROBE" -abq 2> /dev/null
}

# wait_for_disks: until no disk has appeared for two seconds; controllers look for theirs in the background.
wait_for_disks() {
  local seen now tries
  seen='' tries=0
  while [ "$tries" -lt "$1" ]; do
    sleep 1
    plug_in
    now=$(candidates)
    if [ -n "$now" ] && [ "$now" = "$seen" ]; then return 0; fi
    seen=$now tries=$((tries + 1))
  done
}
