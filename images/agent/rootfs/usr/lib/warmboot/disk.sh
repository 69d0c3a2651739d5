# shellcheck shell=sh
# Disks and partitions as sysfs shows them: no lsblk, findmnt or udev needed. Names are the kernel's (sda, nvme0n1p3).

# partition_of_root: the partition the running system has mounted at /.
partition_of_root() {
  local path
  mounted_at / && path=$(readlink -f "$WB_SYS/dev/block/$NUMBER") && [ -e "$path/partition" ] && echo "${path##*/}"
}

# Partitions have roles: warmboot-boot, warmboot-state, warmboot-a, …, warmboot-data. On GPT the role is the partition's name. An
# msdos table has no names, there it follows from number and type: 1 boot, 2 state, slots 3 and 4, or from 5 on where 3
# is an extended partition, and data behind them.

# read_roles DISK: ROLES is what its partitions are, in words ROLE=NAME. Most of what is asked of a disk comes through here, so it starts
# no process, but for tables without names: one for the table and one for each partition.
read_roles() {
  local path named
  ROLES='' named=''
  for path in "$WB_SYS/class/block/$1"/*/partition; do
    path=${path%/partition}
    read_gpt_name "${path##*/}"
    case $GPT_NAME in
      '') ;;
      warmboot-*[!a-z-]*) named=yes ;;
      warmboot-*) named=yes ROLES="$ROLES $GPT_NAME=${path##*/}" ;;
      *) named=yes ;;
    esac
  done
  if [ -z "$named" ]; then
    read_table_fact "$1" PTTYPE
    if [ "$FACT" = dos ]; then read_msdos_roles "$1"; fi
  fi
}

read_msdos_roles() {
  local path number all first name
  all=' ' first=5
  for path in "$WB_SYS/class/block/$1"/*/partition; do
    number=''
    { read -r number < "$path"; } 2> /dev/null
    path=${path%/partition}
    all="$all$number=${path##*/} "
  done
  case $all in *' 4='*) first=3 ;; esac
  for number in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
    case $all in *" $number="*) ;; *) continue ;; esac
    name=${all#*" $number="} name=${name%% *}
    read_table_fact "$name" PART_ENTRY_TYPE
    case $number/$FACT in
      1/0xef) ROLES="$ROLES warmboot-boot=$name" ;;
      2/0x83) ROLES="$ROLES warmboot-state=$name" ;;
      */0x83)
        if [ "$number" -ge "$first" ] && [ $((number - first)) -lt 8 ]; then
          set -- a b c d e f g h
          shift $((number - first))
          ROLES="$ROLES warmboot-$1=$name"
        fi ;;
      # One of the logical ones. The second type is for while its filesystem is made; nobody else gives it.
      [5-9]/0xda | 1?/0xda) ROLES="$ROLES warmboot-data=$name" ;;
      [5-9]/0xd9 | 1?/0xd9) ROLES="$ROLES warmboot-data-new=$name" ;;
    esac
  done
}

# read_table_fact NAME TAG: FACT is what blkid reads there; these it writes in lower case.
read_table_fact() {
  name_node "$1"
  FACT=$(blkid -p -o value -s "$2" "$NODE" 2> /dev/null)
}

# read_gpt_name NAME: GPT_NAME is its name in the GPT; nothing on other tables.
read_gpt_name() {
  local line
  GPT_NAME=''
  while IFS= read -r line; do
    case $line in PARTNAME=*) GPT_NAME=${line#PARTNAME=} ;; esac
  done < "$WB_SYS/class/block/$1/uevent"
} 2> /dev/null

gpt_name() {
  read_gpt_name "$1"
  echo "$GPT_NAME"
}

# know_disk DISK: its roles are read once and for all: a running system's own disk, whose table nobody changes below it.
know_disk() {
  KNOWN_DISK=''
  read_roles "$1"
  KNOWN_ROLES=$ROLES KNOWN_DISK=$1
}

# roles_of DISK: ROLES, as they are known or read now.
roles_of() {
  if [ "$1" = "${KNOWN_DISK:-}" ]; then ROLES=$KNOWN_ROLES; else read_roles "$1"; fi
}

# probe NAME TAG: what blkid reads from that device now, lower case.
probe() {
  blkid -p -o value -s "$2" "$(device "$1")" 2> /dev/null | tr '[:upper:]' '[:lower:]'
}

# partition_label NAME: its role; nothing when it has none.
partition_label() {
  local label disk word
  label=$(gpt_name "$1")
  if [ -z "$label" ] && disk=$(disk_of "$1"); then
    roles_of "$disk"
    for word in $ROLES; do
      if [ "${word#*=}" = "$1" ]; then label=${word%%=*}; fi
    done
  fi
  echo "$label"
}

# find_myself: SLOT and DISK that this system runs from; 1 when they are not ours.
find_myself() {
  local part
  part=$(partition_of_root) && DISK=$(disk_of "$part") || return 1
  know_disk "$DISK"
  SLOT=$(partition_label "$part")
  case $SLOT in warmboot-[a-h]) SLOT=${SLOT#warmboot-} ;; *) return 1 ;; esac
  # On msdos a role is no more than a number: a system on any other disk must not be taken for ours.
  is_warmboot_disk "$DISK"
}

# disk_of NAME: the disk that a partition lies on.
disk_of() {
  local path
  path=$(readlink -f "$WB_SYS/class/block/$1") && path=${path%/*} && echo "${path##*/}"
}

# partition_on DISK ROLE: its name; 1 when the disk has none of that role.
partition_on() {
  local word
  roles_of "$1"
  for word in $ROLES; do
    if [ "${word%%=*}" = "$2" ]; then echo "${word#*=}"; return 0; fi
  done
  return 1
}

# is_warmboot_disk DISK: any msdos disk may have such numbers and types; ours is known by the boot partition's label too.
is_warmboot_disk() {
  local boot
  boot=$(partition_on "$1" warmboot-boot) && partition_on "$1" warmboot-state > /dev/null || return 1
  [ -n "$(gpt_name "$boot")" ] || [ "$(probe "$boot" LABEL)" = warmboot ]
}

# partition_uuid NAME: its PARTUUID, lower case. blkid of old systems does not know it for msdos: there it is the disk's
# signature and the number. On GPT blkid says nothing where what lies in the partition cannot be read, and such a slot is one that may be
# written: there it is read from the table.
partition_uuid() {
  local uuid disk
  uuid=$(probe "$1" PART_ENTRY_UUID)
  if [ -z "$uuid" ] && disk=$(disk_of "$1") && [ "$(probe "$disk" PTTYPE)" = dos ]; then
    # shellcheck disable=SC2046 # four bytes, the lowest first
    set -- $(cat "$WB_SYS/class/block/$1/partition") $(od -An -tx1 -j440 -N4 "$(device "$disk")")
    uuid=$(printf '%s%s%s%s-%02x' "$5" "$4" "$3" "$2" "$1")
  elif [ -z "$uuid" ] && [ -n "$(gpt_name "$1")" ] && disk=$(disk_of "$1"); then
    uuid=$(gpt_uuid "$(cat "$WB_SYS/class/block/$1/partition")" "$disk")
  fi
  echo "$uuid"
}

# gpt_uuid NUMBER DISK: entries of 128 bytes from the third sector on (UEFI specification 5.3.3), in them a GUID at byte 16.
gpt_uuid() {
  local sector
  sector=$(cat "$WB_SYS/class/block/$2/queue/logical_block_size") && guid_at $((sector * 2 + ($1 - 1) * 128 + 16)) "$(device "$2")"
}

# guid_at BYTE FILE
guid_at() {
  # shellcheck disable=SC2046 # its bytes; the first three fields have their lowest byte first
  set -- $(od -An -v -tx1 -j"$1" -N16 "$2" 2> /dev/null)
  [ $# -eq 16 ] || return 1
  printf '%s%s%s%s-%s%s-%s%s-%s%s-' "$4" "$3" "$2" "$1" "$6" "$5" "$8" "$7" "$9" "${10}"
  shift 10
  printf '%s' "$@"
}

# device NAME: its node. The kernel writes / in a device's name as ! in sysfs.
device() {
  name_node "$1"
  echo "$NODE"
}

# name_node NAME: the same into NODE.
name_node() {
  NODE=/dev/$1
  while :; do
    case $NODE in
      *'!'*) NODE=${NODE%%'!'*}/${NODE#*'!'} ;;
      *) return 0 ;;
    esac
  done
}

# slots_on DISK: the letters of the slots it has.
slots_on() {
  local slot
  roles_of "$1"
  for slot in a b c d e f g h; do
    case $ROLES in *" warmboot-$slot="*) echo "$slot" ;; esac
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

# read_state DISK: the same, where it takes no writes any more: not even its journal is replayed.
read_state() {
  local part
  part=$(partition_on "$1" warmboot-state) && mkdir -p "$STATE" || return 1
  mount -t ext4 -o ro,noload,nodev,nosuid,noexec "$(device "$part")" "$STATE"
}

# is_read_only: the disk with the state partition takes no writes: since its boot loader saw that, or since the kernel did.
is_read_only() {
  [ -n "${STARTED_READ_ONLY:-}" ] || { is_mounted "$STATE" && ! [ -w "$STATE" ]; }
}

is_mounted() {
  mounted_at "$1"
}

# mounted_at PLACE: NUMBER is that of the device that is mounted there, the last one of several; 1 when there is none.
mounted_at() {
  local number at
  NUMBER=''
  while read -r _ _ number _ at _; do
    if [ "$at" = "$1" ]; then NUMBER=$number; fi
  done < "$WB_PROC/self/mountinfo"
  [ -n "$NUMBER" ]
}

# is_in_use PARTITION: mounted, wherever.
is_in_use() {
  local device number
  device=''
  { read -r device < "$WB_SYS/class/block/$1/dev"; } 2> /dev/null || return 1
  while read -r _ _ number _; do
    if [ "$number" = "$device" ]; then return 0; fi
  done < "$WB_PROC/self/mountinfo"
  return 1
}

unmount_disk() {
  local at
  for at in "$BOOT" "$STATE"; do
    if is_mounted "$at"; then umount "$at"; fi
  done
}
