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
  # The time that the network takes is time for the disks too.
  look_for_disks
}

# plug_in: an alias may hold quotes, for a machine's maker may be called so; xargs would take them for its own.
plug_in() {
  find "$WB_SYS/devices" -name modalias -exec cat {} + 2> /dev/null | sort -u | tr '\n' '\0' | xargs -0 "$MODPROBE" -abq 2> /dev/null
}

# Controllers look for their disks in the background: only when so many seconds in a row brought nothing new, it is all there.
QUIET_SECONDS=3

# look_for_disks: DISKS_AT is when a look last found a disk or a partition that was not there before.
look_for_disks() {
  local now
  plug_in
  now=$(echo "$WB_SYS"/class/block/*)
  if [ "$now" != "${DISKS:-}" ]; then DISKS=$now DISKS_AT=$(uptime_seconds); fi
}

disks_are_quiet() {
  [ -n "$(candidates)" ] && [ $(($(uptime_seconds) - DISKS_AT)) -ge "$QUIET_SECONDS" ]
}

# wait_for_disks SECONDS: until they are quiet, so long at most.
wait_for_disks() {
  local until
  until=$(($(uptime_seconds) + $1))
  look_for_disks
  while ! disks_are_quiet && [ "$(uptime_seconds)" -lt "$until" ]; do
    sleep 1
    look_for_disks
  done
}

# awaited_controllers: SCSI hosts without a disk, and NVMe controllers that are still starting. Each port for SATA and USB is a host, and
# most are empty; hosts that are not behind PCI, or are virtio's, have their disks at once.
awaited_controllers() {
  local disks host path
  disks=$(for path in "$WB_SYS"/class/block/*; do readlink -f "$path"; done)
  for host in "$WB_SYS"/class/scsi_host/host*; do
    path=$(readlink -f "$host/device") || continue
    case $path in
      */ata[0-9]* | */usb[0-9]* | */virtio[0-9]*) continue ;;
      */pci[0-9]*) ;;
      *) continue ;;
    esac
    case $disks in *"$path/"*) ;; *) echo "${host##*/}" ;; esac
  done
  for path in "$WB_SYS"/class/nvme/nvme*; do
    case $(cat "$path/state" 2> /dev/null) in new | connecting | resetting) echo "${path##*/}" ;; esac
  done
}
