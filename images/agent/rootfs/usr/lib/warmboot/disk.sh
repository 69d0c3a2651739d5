# shellcheck shell=sh
# Disks and partitions as sysfs shows them: no lsblk, findmnt or udev needed. Names are the kernel's (sda, nvme0n1p3).

# partition_of_root: the partition the running system has mounted at /.
partition_of_root() {
  local number
  number=$(awk '$5 == "/" { number = $3 } END { print number }' "$WB_PROC/self/mountinfo")
  number=$(readlink -f "$WB_SYS/dev/block/$number") && [ -e "$number/partition" ] && echo "${number##*/}"
}

# partition_label NAME: its PARTLABEL in the GPT.
partition_label() {
  sed -n 's/^PARTNAME=//p' "$WB_SYS/class/block/$1/uevent" 2> /dev/null
}

# disk_of NAME: the disk that a partition lies on.
disk_of() {
  local path
  path=$(readlink -f "$WB_SYS/class/block/$1") && path=${path%/*} && echo "${path##*/}"
}

# partition_on DISK PARTLABEL: its name; 1 when the disk has none of that label.
partition_on() {
  local path
  for path in "$WB_SYS/class/block/$1"/*/partition; do
    path=${path%/partition}
    if [ "$(partition_label "${path##*/}")" = "$2" ]; then echo "${path##*/}"; return 0; fi
  done
  return 1
}

# partition_uuid NAME: its PARTUUID, lower case.
partition_uuid() {
  blkid -p -o value -s PART_ENTRY_UUID "$(device "$1")" 2> /dev/null | tr '[:upper:]' '[:lower:]'
}

# device NAME: its node. The kernel writes / in a device's name as ! in sysfs.
device() {
  echo "/dev/$1" | tr '!' '/'
}

# slots_on DISK: the letters of the slots it has.
slots_on() {
  local slot
  for slot in a b c d e f g h; do
    if partition_on "$1" "warmboot-$slot" > /dev/null; then echo "$slot"; fi
  done
}

# mount_boot DISK ro|rw: the boot partition, at $BOOT.
mount_boot() {
  local part
  part=$(partition_on "$1" warmboot-boot) || return 1
  mkdir -p "$BOOT"
  mount -t vfat -o "$2,umask=077" "$(device "$part")" "$BOOT"
}

# mount_state DISK: the state partition, at $STATE. It holds a few small files that must survive a power cut, hence sync.
mount_state() {
  local part
  part=$(partition_on "$1" warmboot-state) || return 1
  mkdir -p "$STATE"
  mount -t ext4 -o rw,sync,dirsync,nodev,nosuid,noexec "$(device "$part")" "$STATE"
}

is_mounted() {
  awk -v at="$1" '$5 == at { found = 1 } END { exit !found }' "$WB_PROC/self/mountinfo"
}

unmount_disk() {
  local at
  for at in "$BOOT" "$STATE"; do
    if is_mounted "$at"; then umount "$at"; fi
  done
}
