# shellcheck shell=sh
# Disks and partitions as sysfs shows them: no lsblk, findmnt or udev needed. Names are the kernel's (sda, nvme0n1p3).

# partition_of_root: the partition the running system has mounted at /.
partition_of_root() {
  local number
  number=$(awk '$5 == "/" { number = $3 } END { print number }' "$WB_PROC/self/mountinfo")
  number=$(readlink -f "$WB_SYS/dev/block/$number") && [ -e "$number/partition" ] && echo "${number##*/}"
}

# Partitions have roles: warmboot-boot, warmboot-state, warmboot-a, …, warmboot-data. On GPT the role is the partition's name. An
# msdos table has no names, there it follows from number and type: 1 boot, 2 state, slots 3 and 4, or from 5 on where 3
# is an extended partition, and data behind them.

# gpt_name NAME: its name in the GPT; nothing on other tables.
gpt_name() {
  sed -n 's/^PARTNAME=//p' "$WB_SYS/class/block/$1/uevent" 2> /dev/null
}

# probe NAME TAG: what blkid reads from that device now, lower case.
probe() {
  blkid -p -o value -s "$2" "$(device "$1")" 2> /dev/null | tr '[:upper:]' '[:lower:]'
}

# partition_label NAME: its role; nothing when it has none.
partition_label() {
  local label disk role
  label=$(gpt_name "$1")
  if [ -z "$label" ] && disk=$(disk_of "$1") && [ "$(probe "$disk" PTTYPE)" = dos ]; then
    for role in boot state a b c d e f g h data; do
      if [ "$(partition_on "$disk" "warmboot-$role")" = "$1" ]; then label=warmboot-$role; fi
    done
  fi
  echo "$label"
}

# find_myself: SLOT and DISK that this system runs from; 1 when they are not ours.
find_myself() {
  local part
  part=$(partition_of_root) && SLOT=$(partition_label "$part") || return 1
  case $SLOT in warmboot-[a-h]) SLOT=${SLOT#warmboot-} ;; *) return 1 ;; esac
  # On msdos a role is no more than a number: a system on any other disk must not be taken for ours.
  DISK=$(disk_of "$part") && is_warmboot_disk "$DISK"
}

# disk_of NAME: the disk that a partition lies on.
disk_of() {
  local path
  path=$(readlink -f "$WB_SYS/class/block/$1") && path=${path%/*} && echo "${path##*/}"
}

# partition_on DISK ROLE: its name; 1 when the disk has none of that role.
partition_on() {
  local path
  for path in "$WB_SYS/class/block/$1"/*/partition; do
    path=${path%/partition}
    if [ "$(gpt_name "${path##*/}")" = "$2" ]; then echo "${path##*/}"; return 0; fi
  done
  [ "$(probe "$1" PTTYPE)" = dos ] && msdos_partition "$1" "$2"
}

# msdos_partition DISK ROLE: the same on an msdos table.
msdos_partition() {
  local first number
  first=5
  if numbered "$1" 4 > /dev/null; then first=3; fi
  case $2 in
    warmboot-boot) typed 0xef "$1" 1 ;;
    warmboot-state) typed 0x83 "$1" 2 ;;
    warmboot-[a-h])
      number=$(echo abcdefgh | sed "s/${2#warmboot-}.*//" | tr -d '\n' | wc -c)
      typed 0x83 "$1" $((first + number)) ;;
    warmboot-data) behind_slots 0xda "$1" ;;
    # While its filesystem is made; no type that anybody else gives.
    warmboot-data-new) behind_slots 0xd9 "$1" ;;
    *) return 1 ;;
  esac
}

# behind_slots TYPE DISK: the partition of that type, which may be any of the logical ones.
behind_slots() {
  local number
  for number in 5 6 7 8 9 10 11 12 13; do
    if typed "$1" "$2" "$number"; then return 0; fi
  done
  return 1
}

# numbered DISK NUMBER: the name of that partition.
numbered() {
  local path
  for path in "$WB_SYS/class/block/$1"/*/partition; do
    if [ "$(cat "$path" 2> /dev/null)" = "$2" ]; then
      path=${path%/partition}
      echo "${path##*/}"
      return 0
    fi
  done
  return 1
}

# typed TYPE DISK NUMBER: the same, if it is of that type.
typed() {
  local name
  name=$(numbered "$2" "$3") && [ "$(probe "$name" PART_ENTRY_TYPE)" = "$1" ] && echo "$name"
}

# is_warmboot_disk DISK: any msdos disk may have such numbers and types; ours is known by the boot partition's label too.
is_warmboot_disk() {
  local boot
  boot=$(partition_on "$1" warmboot-boot) && partition_on "$1" warmboot-state > /dev/null || return 1
  [ -n "$(gpt_name "$boot")" ] || [ "$(probe "$boot" LABEL)" = warmboot ]
}

# partition_uuid NAME: its PARTUUID, lower case. blkid of old systems does not know it for msdos: there it is the disk's
# signature and the number.
partition_uuid() {
  local uuid disk
  uuid=$(probe "$1" PART_ENTRY_UUID)
  if [ -z "$uuid" ] && disk=$(disk_of "$1") && [ "$(probe "$disk" PTTYPE)" = dos ]; then
    # shellcheck disable=SC2046 # four bytes, the lowest first
    set -- $(cat "$WB_SYS/class/block/$1/partition") $(od -An -tx1 -j440 -N4 "$(device "$disk")")
    uuid=$(printf '%s%s%s%s-%02x' "$5" "$4" "$3" "$2" "$1")
  fi
  echo "$uuid"
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

# mount_boot DISK ro|rw: the boot partition, at $BOOT. What a power cut left half freed must not make it read-only for good.
mount_boot() {
  local part
  part=$(partition_on "$1" warmboot-boot) || return 1
  mkdir -p "$BOOT"
  mount -t vfat -o "$2,umask=077,errors=continue" "$(device "$part")" "$BOOT"
}

# mount_state DISK: the state partition, at $STATE. It holds a few small files that must survive a power cut, hence sync.
mount_state() {
  local part
  part=$(partition_on "$1" warmboot-state) || return 1
  mkdir -p "$STATE"
  mount -t ext4 -o rw,sync,dirsync,nodev,nosuid,noexec "$(device "$part")" "$STATE" || return 1
  # What the power went away from before it was whole (`put`); a set of files has another name each time.
  rm -f "$STATE"/*.new "$STATE"/*/*.new
}

is_mounted() {
  awk -v at="$1" '$5 == at { found = 1 } END { exit !found }' "$WB_PROC/self/mountinfo"
}

# is_in_use PARTITION: mounted, wherever.
is_in_use() {
  awk -v number="$(cat "$WB_SYS/class/block/$1/dev")" '$3 == number { found = 1 } END { exit !found }' "$WB_PROC/self/mountinfo"
}

unmount_disk() {
  local at
  for at in "$BOOT" "$STATE"; do
    if is_mounted "$at"; then umount "$at"; fi
  done
}
