# shellcheck shell=sh
# Drivers, as the hardware asks for them. busybox's own modprobe stands before PATH, hence kmod's by its path.

load_drivers() {
  local round
  # A driver uncovers a bus with more hardware on it: a second look finds what the first one brought up.
  for round in 1 2; do
    plug_in
  done
  /usr/sbin/modprobe -aq vfat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8 ext4
}

plug_in() {
  find "$WB_SYS/devices" -name modalias -exec cat {} + 2> /dev/null | sort -u | xargs /usr/sbin/modprobe -abq 2> /dev/null
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

# inventory: what this machine is, for the operator who decides what it shall run.
inventory() {
  local name path
  echo "firmware $([ -d "$WB_SYS/firmware/efi" ] && echo uefi || echo bios)"
  for name in sys_vendor product_name product_serial product_uuid; do
    echo "$name $(cat "$WB_SYS/class/dmi/id/$name" 2> /dev/null)"
  done
  awk '/^MemTotal/ { printf "memory %d MiB\n", $2 / 1024 }' "$WB_PROC/meminfo"
  echo "processors $(grep -c '^processor' "$WB_PROC/cpuinfo")"
  for path in "$WB_SYS"/class/net/*/device; do
    path=${path%/device}
    echo "nic ${path##*/} $(cat "$path/address") $(basename "$(readlink -f "$path/device/driver")")"
  done
  for name in $(candidates); do
    echo "disk $name $(disk_bytes "$name") bytes, sectors of $(disk_sector "$name"), serial '$(disk_serial "$name")'," \
      "wwn '$(disk_wwn "$name")', $(disk_content "$name")"
  done
  if ls "$WB_SYS"/class/watchdog/watchdog* > /dev/null 2>&1; then echo 'watchdog yes'; else echo 'watchdog none'; fi
}

# report_inventory: the first word of each boot; through the outbox, so that nothing overtakes it.
report_inventory() {
  if [ -n "$INVENTORY" ]; then return; fi
  INVENTORY=yes
  inventory > "$WB_RUN/inventory"
  ATTEMPT=''
  report_keep inventory disk="$OWN_GUID" log@"$WB_RUN/inventory"
}
