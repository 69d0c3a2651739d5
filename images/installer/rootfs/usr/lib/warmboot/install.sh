# shellcheck shell=sh
# Install: the order of the steps is the product's promise. Nothing is written before the server knows by the claim who
# writes; nothing is called valid before it was read back; a failure is told and waits for the server's next word.

install() {
  local node
  say "install $M_IMAGE_NAME $M_IMAGE_DIGEST on slot $M_SLOT, attempt $M_ATTEMPT"
  # What it says of this host (its token, the highest serial seen) is for the order too, which is asked for anew.
  if own_disk_came; then ETAG=''; return; fi
  claim || return
  STANDING=''
  report_inventory
  send_inventory
  ATTEMPT=$M_ATTEMPT LEAST_MEMORY=''
  phase partition
  install_allowed
  case $? in
    0) ;;
    2) ETAG=''; return ;;
    *) install_failed; return ;;
  esac
  node=$(device "$CHOSEN")
  if holds_this_attempt; then
    say "disk $CHOSEN holds this attempt's slot already"
    watched renew_work "$node" && boot_sync
  else
    say "disk $(disk_text "$CHOSEN")"
    watched install_work "$node"
  fi
  case $? in
    0) ;;
    2) unmount_disk; ETAG=''; return ;;
    *) REASON=$(cat "$WB_RUN/work/reason" 2> /dev/null || echo 'the work ended without a word'); install_failed; return ;;
  esac
  say "memory: $((${LEAST_MEMORY:-0} / 1024)) of $(awk '$1 == "MemTotal:" { print int($2 / 1024) }' "$WB_PROC/meminfo") MiB were free all the time"
  report_installed
  jump "$M_SLOT" "$M_APPEND" "$M_SWITCH"
}

# install_allowed: chooses the disk (CHOSEN) and refuses what would destroy other people's data; 2 when all of this is to be thought over:
# this host's own disk came in the meantime, or the server has to be asked once more.
install_allowed() {
  local tries
  tries=0
  # The disks had time to show up; one that is missed gets some more.
  until choose_disk "$M_INSTALL_DISK"; do
    if [ "$tries" -ge 15 ] || ! read_rule "$M_INSTALL_DISK"; then return 1; fi
    sleep 1
    plug_in
    tries=$((tries + 1))
  done
  if own_disk_came; then return 2; fi
  if [ "$M_INSTALL_WIPE" = true ]; then return 0; fi
  # This machine may be two hosts to the server, one for each card: the order is for the one that the disk belongs to.
  if [ "$CHOSEN" = "$OWN_DISK" ] && [ "$OWN_HOST" = "$M_HOST" ]; then return 0; fi
  case $(disk_content "$CHOSEN") in
    empty) ;;
    unreadable)
      REASON="disk $(disk_text "$CHOSEN") cannot be read, so nobody knows what it holds; the order would have to say wipe, or name another: $(disks_text)"
      return 1 ;;
    *)
      is_half_made
      case $? in
        0) return 0 ;;
        2)
          say "whether disk $CHOSEN holds an earlier try of this install only the server knows, which does not answer: it is asked again"
          sleep 5
          return 2 ;;
      esac
      REASON="disk $(disk_text "$CHOSEN") is not empty and not this host's; the order would have to say wipe, or name another: $(disks_text)"
      return 1 ;;
  esac
}

# is_half_made: by an earlier try of this same host; the server derives the disk's identity from the host's. 2: it does not answer.
is_half_made() {
  local mine
  if ! fetch_layout; then
    case $HTTP_STATUS in 000 | 429 | 5*) return 2 ;; *) return 1 ;; esac
  fi
  mine=$(table_identity < "$WB_RUN/layout")
  [ -n "$mine" ] && [ "$mine" = "$(sfdisk -d "$(device "$CHOSEN")" 2> /dev/null | table_identity)" ]
}

# table_identity: what tells this partition table from every other: a GPT's GUID, an msdos table's signature.
table_identity() {
  awk '$1 == "label-id:" { print tolower($2) }'
}

# holds_this_attempt: a report that was lost must not cost a second flash. Leaves the disk mounted if so.
holds_this_attempt() {
  if [ "$CHOSEN" = "$OWN_DISK" ] && mount_state "$CHOSEN" && mount_boot "$CHOSEN" rw 2> /dev/null; then
    if [ "$(slot_record "$M_SLOT" ATTEMPT)" = "$M_ATTEMPT" ] && [ "$(slot_record "$M_SLOT" DIGEST)" = "$M_IMAGE_DIGEST" ]; then
      return 0
    fi
  fi
  unmount_disk
  return 1
}

# claim: this machine's secret, made here, kept by the server as a hash. A host that has one already keeps it. The server
# takes another claim where nothing followed the first, so a refused machine goes on asking.
claim() {
  if [ ! -s "$WB_RUN/token" ]; then
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$WB_RUN/token"
  fi
  request 20 "$WB_RUN/answer" --data-urlencode "attempt=$M_ATTEMPT" --data-urlencode "token@$WB_RUN/token" \
    "$SERVER/boot/hosts/$HOST/claims" || { say "the server does not answer the claim"; ETAG=''; return 1; }
  case $HTTP_STATUS in
    200 | 201) CLAIMED=yes; use_token "$(cat "$WB_RUN/token")" ;;
    409)
      say "claim refused: $(answer_reason "$WB_RUN/answer")"
      # An operator may have taken that token away. Any other is as good for an install that nobody has claimed.
      rm -f "$WB_RUN/token"
      ETAG=''
      sleep 10
      return 1 ;;
    *)
      say "claim answered with $HTTP_STATUS: $(answer_reason "$WB_RUN/answer")"
      ETAG=''
      return 1 ;;
  esac
}

# install_work NODE: in the background, see work.sh.
install_work() {
  look_for_former
  get_host_files
  make_partitions "$1"
  make_boot_partition
  # GRUB comes first, with no slot to start: a power cut from here on ends in another network boot, not in a dead loader.
  put_loader "$1"
  put_state
  put_host_files
  slot_mark_invalid "$M_SLOT" || fail 'the boot partition cannot be written'
  download_index
  flash_slot "$(device "$(partition_on "$CHOSEN" "warmboot-$M_SLOT")")" "$CHOSEN"
  put_boot_files "$M_SLOT"
  slot_mark_valid "$M_SLOT" "$M_IMAGE_DIGEST" "$M_IMAGE_NAME" "$M_ATTEMPT" || fail 'the boot partition cannot be written'
}

# look_for_former: a disk of this host's own may still hold what the new image needs: the indexes are taken from its boot
# partition, which is about to be made anew. Any other disk is not even read.
look_for_former() {
  local slot
  FRESH=yes
  rm -rf "$WB_RUN/former"
  if [ "$M_INSTALL_WIPE" = true ] || ! { [ "$CHOSEN" = "$OWN_DISK" ] || is_half_made; }; then return; fi
  FRESH=''
  mkdir -p "$WB_RUN/former"
  if mount_boot "$CHOSEN" ro 2> /dev/null; then
    for slot in $(slots_on "$CHOSEN"); do
      cp "$BOOT/warmboot/$slot/index.json" "$WB_RUN/former/$slot.json" 2> /dev/null || :
    done
  fi
  unmount_disk
}

# renew_work NODE: what may be newer than a slot that holds this attempt already.
renew_work() {
  get_host_files
  put_loader "$1"
  put_host_files
}

# get_host_files: into memory, before the disk loses anything: a server that is away is waited for as with all that follows. A set that
# is gone was changed since, and the next manifest names another.
get_host_files() {
  local since
  if [ -z "${M_FILES_SHA256:-}" ] || { is_mounted "$STATE" && files_are "$STATE/files/$M_FILES_SHA256.tar"; }; then return 0; fi
  phase files
  since=$(uptime_seconds)
  until files_get; do
    still_wanted
    if told_to_wait "$WB_RUN/headers"; then
      wait_turn
      since=$(uptime_seconds)
      continue
    fi
    case $HTTP_STATUS in
      404)
        say "the host's files are not what they were"
        sleep "$M_POLL"
        : > "$WB_RUN/work/unwanted"
        exit 1 ;;
      401 | 403 | 410) fail "the host's files are not to be had: $REASON" ;;
    esac
    if server_is_away; then since=$(uptime_seconds); fi
    if [ $(($(uptime_seconds) - since)) -gt "$PATIENCE_SECONDS" ]; then fail "the host's files are not to be had: $REASON"; fi
  done
  turn_came
}

# put_host_files: those of this install, for its slot alone: what other slots had is gone with them.
put_host_files() {
  phase files
  rm -f "$STATE"/files/slot-*
  files_fetch || fail "the host's files are not to be had: $REASON"
  files_for "$M_SLOT" || fail 'the state partition cannot be written'
}

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

make_partitions() {
  local label table before after renewed others
  phase partition
  if ! table=$(table_of "$1") && [ "$M_INSTALL_WIPE" != true ]; then fail "the partition table of disk $CHOSEN cannot be read: $(last_error)"; fi
  others=$(others_partitions)
  if [ -n "$others" ] && [ "$M_INSTALL_WIPE" != true ]; then
    fail "the new partition table would destroy what somebody else has on disk $CHOSEN:$others; move it elsewhere, or let the order say wipe"
  fi
  before=$(echo "$table" | place_of_data)
  get_layout
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
    && { is_warmboot_disk "$CHOSEN" || [ "$(echo "$2" | table_identity)" = "$(table_identity < "$WB_RUN/layout")" ]; }; then wipe=never; fi
  tracked sfdisk -q --wipe "$wipe" --wipe-partitions never "$1" < "$WB_RUN/layout.marked" || fail "sfdisk: $(last_error)"
  if [ "$wipe" = never ]; then tracked wipefs -qa -t nogpt,noPMBR,nodos "$1" || fail "wipefs: $(last_error)"; fi
}

# table_kind: of a table on stdin, gpt or dos.
table_kind() {
  sed -n 's/^label: *//p'
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

# keep_state: what makes this host the one it is, in memory, for a layout that has the state partition elsewhere.
keep_state() {
  rm -rf "$WB_RUN/state.kept"
  if [ "$CHOSEN" != "$OWN_DISK" ] || ! mount_state "$CHOSEN" 2> /dev/null; then return; fi
  if [ "$(cat "$STATE/host" 2> /dev/null)" = "$M_HOST" ] && [ "$(du -sk "$STATE" | awk '{ print $1 }')" -le 16384 ]; then
    cp -a "$STATE" "$WB_RUN/state.kept" || rm -rf "$WB_RUN/state.kept"
  fi
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

make_boot_partition() {
  tracked mkfs.vfat -F 32 -n WARMBOOT "$(device "$(partition_on "$CHOSEN" warmboot-boot)")" > /dev/null \
    || fail "mkfs.vfat: $(last_error)"
  mount_boot "$CHOSEN" rw || fail 'the new boot partition cannot be mounted'
}

# put_loader NODE: GRUB for UEFI on the boot partition, and GRUB for BIOS in its places on the disk.
put_loader() {
  local grub
  grub=$WB_LIB/grub
  mkdir -p "$BOOT/EFI/BOOT" "$BOOT/grub" "$BOOT/warmboot"
  put_once "$BOOT/EFI/BOOT/BOOTX64.EFI" "$grub/BOOTX64.EFI" && put_once "$BOOT/grub/grub.cfg" "$grub/grub.cfg" \
    && "$HELPER" grubenv "$BOOT/grub/spare" init && grubenv_set "default=$M_SLOT" next= "tries_$M_SLOT=3" \
    || fail 'the boot partition cannot be written'
  # The BIOS reads 512-byte sectors only; on a 4Kn disk its boot code would not work.
  if [ "$(disk_sector "$CHOSEN")" != 512 ]; then return; fi
  case $(probe "$CHOSEN" PTTYPE) in
    gpt) put_bios_loader "$1" gpt 2048 warmboot-bios ;;
    dos) put_bios_loader "$1" msdos 1 warmboot-boot ;;
  esac
}

# put_once FILE FROM: one that is so already stays. On FAT a power cut can leave a file that was being replaced in pieces, and here a
# slot may depend on it already.
put_once() {
  cmp -s "$2" "$1" || put "$1" < "$2"
}

# put_bios_loader NODE TABLE SECTOR ROLE: core.img from SECTOR on; the partition of that ROLE starts at sector 2048, so on
# GPT core.img lies in it, and on msdos before it.
put_bios_loader() {
  local part
  part=$(partition_on "$CHOSEN" "$4") && [ "$(cat "$WB_SYS/class/block/$part/start")" = 2048 ] \
    || fail "the partition $4 does not start at sector 2048"
  dd if="$grub/core-$2.img" of="$1" bs=512 seek="$3" conv=notrunc,fsync 2> /dev/null \
    && dd if="$grub/boot-$2.img" of="$1" bs=440 count=1 conv=notrunc,fsync 2> /dev/null || fail 'the BIOS boot code cannot be written'
}

# put_state: the token first of all: without it this host would be a stranger to its server after a power cut. A state
# partition of this same host is kept with all it holds.
put_state() {
  if ! { mount_state "$CHOSEN" 2> /dev/null && [ "$(cat "$STATE/host" 2> /dev/null)" = "$M_HOST" ]; }; then
    if is_mounted "$STATE"; then umount "$STATE"; fi
    # Without what a 3.10 kernel could not mount.
    tracked /usr/sbin/mke2fs -q -F -t ext4 -O '^orphan_file,^metadata_csum_seed,^metadata_csum,^64bit' -L warmboot-state \
      "$(device "$(partition_on "$CHOSEN" warmboot-state)")" || fail "mke2fs: $(last_error)"
    mount_state "$CHOSEN" || fail 'the new state partition cannot be mounted'
    if [ -d "$WB_RUN/state.kept" ] && ! cp -a "$WB_RUN/state.kept/." "$STATE/"; then fail 'the state partition cannot be written'; fi
  fi
  chmod 700 "$STATE"
  rm -rf "$STATE/trial" "$STATE/interrupted" "$STATE/netboot" "$STATE/outbox"
  mkdir -p "$STATE/outbox"
  put "$STATE/token" < "$WB_RUN/token" && put_trust && put "$STATE/server.pem" < "$SERVER_PEM" && echo "$SERVER_URL" | put "$STATE/server.url" \
    && echo "$M_SERIAL" | put "$STATE/serial" && echo "$M_HOST" | put "$STATE/host" \
    && sed -n 's/^# disk: //p' "$WB_RUN/layout" | put "$STATE/disk" || fail 'the state partition cannot be written'
  note_data || fail 'the state partition cannot be written'
}

# note_data: that there is production data; a system that finds no filesystem there one day must not take that for good.
note_data() {
  local part uuid
  part=$(partition_on "$CHOSEN" warmboot-data) || { rm -f "$STATE/data"; return; }
  uuid=$(probe "$part" UUID)
  if [ -n "$uuid" ]; then echo "$uuid" | put "$STATE/data"; fi
}

# put_trust: what this installer trusts, so does the host; a server that says nothing of itself takes nothing with it.
put_trust() {
  if [ -s "${SERVER_PEM%/*}/trust" ]; then put "$STATE/trust" < "${SERVER_PEM%/*}/trust"; else rm -f "$STATE/trust"; fi
}

# Told for up to a minute; then the machine goes on: its agent will report the boot, which says as much.
report_installed() {
  local until
  say "installed slot $M_SLOT $M_IMAGE_DIGEST"
  until=$(($(uptime_seconds) + 60))
  # shellcheck disable=SC2046 # one word a field
  report_keep installed slot="$M_SLOT" digest="$M_IMAGE_DIGEST" $(slot_fields "$CHOSEN") && return
  while [ "$(uptime_seconds)" -lt "$until" ]; do
    outbox_flush && return
    sleep 2
  done
  say 'nobody took the report of the install'
}

# install_failed: the outbox tells it until the server has it; the next word is the server's.
install_failed() {
  say "failed $(phase_now): $REASON"
  FAILED=$ATTEMPT
  unmount_disk
  log_tail "$WB_RUN/log.tail"
  report_keep failed phase="$(phase_now)" reason="$REASON" log@"$WB_RUN/log.tail"
}
