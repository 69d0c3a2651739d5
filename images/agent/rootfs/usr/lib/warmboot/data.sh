# shellcheck shell=sh
# Production data: the partition warmboot-data, mounted at /data by every OS. Its filesystem is made by the installer, or by the
# operator; never here.

DATA=${DATA:-/data}

# mount_data DISK: 1 with the reason in $WB_RUN/data.err when there is data and it cannot be mounted.
mount_data() {
  local part node type result
  part=$(partition_on "$1" warmboot-data) || return 0
  node=$(device "$part")
  # This system may have a line of its own for it in fstab.
  if is_in_use "$part"; then return 0; fi
  type=$(probe "$part" TYPE)
  if ! is_mountable "$type"; then
    say "the data partition $part is left to this system: it holds ${type:-no filesystem}"
    return 0
  fi
  # Who writes to /data while nothing is mounted there is told so at once, instead of filling the slot.
  (umask 022 && mkdir -p "$DATA")
  "$HELPER" immutable "$DATA" 2> "$WB_RUN/data.err" || note "$(cat "$WB_RUN/data.err")"
  if command -v "fsck.$type" > /dev/null; then
    "fsck.$type" -p "$node" >> "$WB_RUN/log" 2>&1
    result=$?
    # 4: errors are left that only a person may mend. From 8 on it did not run: an older one may not know what a newer kernel does.
    if [ "$result" -ge 4 ] && [ "$result" -lt 8 ]; then
      data_fails "fsck.$type found errors on $part that it does not mend by itself: run it by hand"
      return 1
    fi
  fi
  if ! mount -t "$type" "$node" "$DATA" 2> "$WB_RUN/data.err"; then
    data_fails "$(tail -n 1 "$WB_RUN/data.err")"
    return 1
  fi
  rm -f "$WB_RUN/data.err"
  grow_data "$type" "$node"
  # The root of a filesystem made outside has no SELinux label; what lies below is the business of who put it there.
  if command -v restorecon > /dev/null; then restorecon "$DATA" 2> /dev/null || :; fi
  say "data partition $part is at $DATA"
}

# is_mountable TYPE: LVM, LUKS, RAID and swap are not.
is_mountable() {
  case $1 in ext[234] | xfs | btrfs) return 0 ;; esac
  return 1
}

# grow_data TYPE NODE: to the end of the partition, which a reinstall on a larger disk may have moved.
grow_data() {
  case $1 in
    ext[34]) "$HELPER" grow "$DATA" "$2" 2>> "$WB_RUN/log" ;;
    xfs) if command -v xfs_growfs > /dev/null; then xfs_growfs -d "$DATA" >> "$WB_RUN/log" 2>&1; fi ;;
  esac || say "the data partition was not grown: $(tail -n 1 "$WB_RUN/log")"
}

data_fails() {
  printf '%s\n' "$1" > "$WB_RUN/data.err"
  say "the data partition is not mounted: $1"
}

# data_healthy DISK: 1 with REASON when there is production data and this system does not have it. A partition that never had a
# filesystem is none; one that the installer made a filesystem on, and that shows none any more, is.
data_healthy() {
  local part type
  part=$(partition_on "$1" warmboot-data) || return 0
  if is_in_use "$part"; then return 0; fi
  type=$(probe "$part" TYPE)
  if is_mountable "$type" || { [ -z "$type" ] && [ -s "$STATE/data" ]; }; then
    REASON="the data partition $part is not mounted: $(cat "$WB_RUN/data.err" 2> /dev/null || echo "it holds ${type:-no filesystem any more}, see warmboot-data.service")"
    return 1
  fi
}
