# shellcheck shell=sh
# The partition table of an install, and what must outlive it: the data partition, and the files that make this host the one it is.

fetch_layout() {
  local url
  case $M_INSTALL_LAYOUT in
    /* | http://* | https://*) url=$(resolve "$M_INSTALL_LAYOUT") ;;
    *) url=$SERVER/boot/hosts/$HOST/layout ;;
  esac
  request 20 "$WB_RUN/layout" "$url?attempt=$M_ATTEMPT&bytes=$(disk_bytes "$CHOSEN")&sector=$(disk_sector "$CHOSEN")" || return 1
  [ "$HTTP_STATUS" = 200 ]
}

# get_layout: nothing was written yet, so a server that is away or busy is waited for as with all that follows; one that says no is
# believed when it has said so a few times.
get_layout() {
  local since refused
  since=$(uptime_seconds) refused=0
  until fetch_layout; do
    still_wanted
    if told_to_wait "$WB_RUN/headers"; then
      wait_turn
      since=$(uptime_seconds)
      continue
    fi
    case $HTTP_STATUS in
      422) fail "$(answer_reason "$WB_RUN/layout")" ;;
      4*) refused=$((refused + 1)) ;;
    esac
    if server_is_away; then since=$(uptime_seconds); fi
    if [ "$refused" -gt 5 ] || [ $(($(uptime_seconds) - since)) -gt "$PATIENCE_SECONDS" ]; then
      fail "the server gives no partition table (status $HTTP_STATUS)"
    fi
    sleep $((2 + $(jitter 3)))
  done
  turn_came
}

make_partitions() {
  local label table before after renewed others other
  phase partition
  if ! table=$(table_of "$1") && [ "$M_INSTALL_WIPE" != true ]; then fail "the partition table of disk $CHOSEN cannot be read: $(last_error)"; fi
  others=$(others_partitions)
  if [ -n "$others" ] && [ "$M_INSTALL_WIPE" != true ]; then
    fail "the new partition table would destroy what somebody else has on disk $CHOSEN:$others; move it elsewhere, or let the order say wipe"
  fi
  before=$(echo "$table" | place_of_data)
  get_layout
  other=$(twin)
  if [ -n "$other" ]; then
    fail "an earlier try of this install has begun with disk $(disk_text "$other"), and two disks of the same names cannot be told apart: order it anew (retry), under names of its own"
  fi
  if [ "$M_INSTALL_WIPE" != true ] && ! keeps_data "$before" "$(place_of_data < "$WB_RUN/layout")"; then
    fail "the new partition table would destroy the data partition of disk $CHOSEN: $REASON; give the layout that the disk has, or let the order say wipe"
  fi
  after=$(place_of_data < "$WB_RUN/layout") renewed=''
  if [ -n "$after" ] && { [ -z "$before" ] || is_wiped_of_another || ! keeps_data "$before" "$after"; }; then renewed=yes; fi
  keep_state
  mark_new_data "$renewed" < "$WB_RUN/layout" > "$WB_RUN/layout.marked"
  write_table "$1" "$table"
  if [ -n "$renewed" ]; then make_data "$1"; fi
  for label in boot state "$M_SLOT"; do
    wait_for_partition "$label" || fail "the kernel does not show the partition warmboot-$label"
  done
}

# others_partitions: those of CHOSEN that have no part in a disk of ours, such as what an administrator made in its free space; with a
# space before each.
others_partitions() {
  local path name
  read_roles "$CHOSEN"
  for path in "$WB_SYS/class/block/$CHOSEN"/*/partition; do
    [ -e "$path" ] || continue
    path=${path%/partition} name=${path##*/}
    case "$ROLES " in *"=$name "*) continue ;; esac
    read_gpt_name "$name"
    if [ -z "$GPT_NAME" ]; then
      read_table_fact "$name" PART_ENTRY_TYPE
      # On msdos: what only holds the logical ones.
      case $FACT in 0x5 | 0xf | 0x85) continue ;; esac
    fi
    printf ' %s' "$name${GPT_NAME:+ ($GPT_NAME)}"
  done
}

# table_of NODE: its partition table as sfdisk writes it, nothing where it has none; 1 when that cannot be known.
table_of() {
  sfdisk -d "$1" 2> "$WB_RUN/work/command.err" && return 0
  # Without a table sfdisk says so, and fails. What the kernel sees is a table all the same.
  grep -q 'does not contain a recognized partition table' "$WB_RUN/work/command.err" \
    && ! ls -d "$WB_SYS/class/block/$CHOSEN"/*/partition > /dev/null 2>&1
}

# write_table NODE TABLE: layout.marked, where TABLE is. Old signatures on the disk go; what lies inside the partitions is left for those
# who own it. Where sfdisk finds one it takes all of them before it writes, those of the table too, and a disk without a table is nobody's:
# one of ours is written over as it stands (a GPT's backup before it), and what else there is goes afterwards.
write_table() {
  local wipe
  wipe=always
  if [ "$(echo "$2" | table_kind)" = "$(table_kind < "$WB_RUN/layout")" ] \
    && { is_warmboot_disk "$CHOSEN" || is_named_now "$(echo "$2" | table_identity)"; }; then wipe=never; fi
  tracked sfdisk -q --wipe "$wipe" --wipe-partitions never "$1" < "$WB_RUN/layout.marked" || fail "sfdisk: $(last_error)"
  if [ "$wipe" = never ]; then tracked wipefs -qa -t nogpt,noPMBR,nodos "$1" || fail "wipefs: $(last_error)"; fi
}

# table_kind: of a table on stdin, gpt or dos.
table_kind() {
  sed -n 's/^label: *//p'
}

# table_identity: what tells this partition table from every other: a GPT's GUID, an msdos table's signature.
table_identity() {
  awk '$1 == "label-id:" { print tolower($2) }'
}

# place_of_data: of a table on stdin, START SIZE in sectors of the data partition, if there is one.
place_of_data() {
  sed -n -e 's/^.*start= *\([0-9]*\), *size= *\([0-9]*\),.*name="*warmboot-data"*\(,.*\)*$/\1 \2/p' \
    -e 's/^.*start= *\([0-9]*\), *size= *\([0-9]*\), *type=da\(,.*\)*$/\1 \2/p'
}

# keeps_data BEFORE AFTER: whether what lies in the data partition stays where it is: it may grow at its end, and nothing else.
keeps_data() {
  if [ -z "$1" ]; then return 0; fi
  if [ -z "$2" ]; then REASON='it has none'
  elif [ "${1% *}" != "${2% *}" ]; then REASON="it begins at sector ${2% *}, not at ${1% *}"
  elif [ "${2#* }" -lt "${1#* }" ]; then REASON="it has ${2#* } sectors, not ${1#* }"
  else return 0
  fi
  return 1
}

# mark_new_data YES: the table on stdin; the data partition, if it is new, under a name (on msdos a type) of its own until it has a
# filesystem. So the one that is called data always holds somebody's, whenever the power goes.
mark_new_data() {
  if [ -n "$1" ]; then sed -e 's/name=warmboot-data$/name=warmboot-data-new/' -e 's/type=da$/type=d9/'; else cat; fi
}

# is_wiped_of_another: the order takes the disk from another host, whose data are not for this one.
is_wiped_of_another() {
  [ "$M_INSTALL_WIPE" = true ] && is_warmboot_disk "$CHOSEN" && is_anothers "$CHOSEN"
}

# make_data NODE: ext4 as a 3.10 kernel mounts it and the e2fsck of its time checks it, in the new data partition; only then its
# name. What an older use of the disk left there must not be found in it.
make_data() {
  local part node features
  wait_for_partition data-new || fail 'the kernel does not show the new data partition'
  part=$(partition_on "$CHOSEN" warmboot-data-new)
  # With uninit_bg the inode tables need not be written now: 17 GB of zeros for each TB, an hour on a large disk. The kernel does it
  # behind the mount, and gently.
  node=$(device "$part") features='^orphan_file,^metadata_csum_seed,^metadata_csum,uninit_bg'
  # More than 2^32 blocks want it; below 16 TiB it only keeps old programs out.
  if [ "$(disk_bytes "$part")" -lt 17592186044416 ]; then features=$features,^64bit; fi
  tracked wipefs -qa "$node" || fail "wipefs: $(last_error)"
  # No reserve for root, whose own filesystem is elsewhere; no discard, which takes minutes on some disks.
  tracked /usr/sbin/mke2fs -q -F -t ext4 -b 4096 -m 0 -e remount-ro -E nodiscard,lazy_itable_init=1 -O "$features" -L warmboot-data "$node" \
    || fail "mke2fs: $(last_error)"
  case $(probe "$CHOSEN" PTTYPE) in
    gpt) set -- --part-label "$1" "$(cat "$WB_SYS/class/block/$part/partition")" warmboot-data ;;
    *) set -- --part-type "$1" "$(cat "$WB_SYS/class/block/$part/partition")" da ;;
  esac
  tracked sfdisk -q "$@" > /dev/null || fail "sfdisk: $(last_error)"
  wait_for_partition data || fail 'the kernel does not show the data partition'
  say "made a filesystem in the data partition of $CHOSEN"
}

# keep_state: what makes this host the one it is, in memory: for a layout that has the state partition elsewhere, or another disk. KEPT_FROM
# is the disk that it is of. What says whose disk it is comes last, when all else is there. An earlier try of this installer may have taken
# the state partition away and come no further: what it kept is all there is then.
keep_state() {
  local kept
  kept=$WB_RUN/state.kept
  KEPT_FROM=$(disk_of_state)
  copy_state "$kept.new"
  case $? in
    0)
      rm -rf "$kept"
      mv "$kept.new" "$kept"
      echo "$M_HOST $KEPT_FROM" > "$kept.of"
      return ;;
    2)
      if [ -d "$kept" ] && [ "$(cat "$kept.of" 2> /dev/null)" = "$M_HOST $KEPT_FROM" ]; then
        say "what was kept of the state of $KEPT_FROM before is used once more"
        return
      fi ;;
  esac
  rm -rf "$kept"
  KEPT_FROM=''
}

# copy_state TO: of KEPT_FROM. 1: it is not this host's, or more than memory should hold; 2: there is none that can be read.
copy_state() {
  rm -rf "$1"
  if [ -z "$KEPT_FROM" ] || ! { mount_state "$KEPT_FROM" || read_state "$KEPT_FROM"; } 2> /dev/null; then return 2; fi
  if [ "$(cat "$STATE/host" 2> /dev/null)" = "$M_HOST" ] && [ "$(du -sk "$STATE" | awk '{ print $1 }')" -le 16384 ]; then
    cp -a "$STATE" "$1" || rm -rf "$1"
  fi
  unmount_disk
  [ -d "$1" ] || return 1
  rm -f "$1/host" "$1/installed"
  # Of its own slots and data partition.
  if [ "$KEPT_FROM" != "$CHOSEN" ]; then rm -f "$1/data" "$1/former" "$1/rollback"; fi
}

# disk_of_state: CHOSEN, if it is this host's own, or another own disk that was installed later.
disk_of_state() {
  local here elsewhere
  here='' elsewhere=''
  if [ -z "$OWN_DISK" ]; then return; fi
  if is_own "$CHOSEN"; then here=$(installed_on "$CHOSEN"); fi
  if [ "$CHOSEN" != "$OWN_DISK" ] && [ "$OWN_HOST" = "$M_HOST" ]; then elsewhere=$(installed_on "$OWN_DISK"); fi
  if [ -n "$elsewhere" ] && { [ -z "$here" ] || [ "$elsewhere" -gt "$here" ]; }; then echo "$OWN_DISK"
  elif [ -n "$here" ]; then echo "$CHOSEN"
  fi
}

installed_on() {
  read_state "$1" 2> /dev/null || { echo 0; return; }
  installed_at
  unmount_disk
}

wait_for_partition() {
  local tries part
  for tries in 1 2 3 4 5 6 7 8 9 10; do
    if part=$(partition_on "$CHOSEN" "warmboot-$1") && [ -b "$(device "$part")" ]; then return 0; fi
    sleep 0.5
  done
  return 1
}
