# shellcheck shell=sh
# Install: the order of the steps is the product's promise. Nothing is written before the server knows by the claim who
# writes; nothing is called valid before it was read back; a failure is told and waits for the server's next word.

install() {
  local node
  say "install $M_IMAGE_NAME $M_IMAGE_DIGEST on slot $M_SLOT, attempt $M_ATTEMPT"
  rm -f "$WB_RUN/layout"
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
    watched renew_work "$node"
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

# holds_this_attempt: a report that was lost must not cost a second flash. Leaves the disk mounted if so.
holds_this_attempt() {
  if is_own "$CHOSEN" && mount_state "$CHOSEN" && mount_boot "$CHOSEN" rw 2> /dev/null; then
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
  # What came from the disk of another host is that one's.
  if [ -z "${CLAIMED:-}" ] && [ "${TOKEN_OF:-$M_HOST}" != "$M_HOST" ]; then rm -f "$WB_RUN/token"; fi
  if [ ! -s "$WB_RUN/token" ]; then
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$WB_RUN/token"
  fi
  TOKEN_OF=$M_HOST
  if ! request 20 "$WB_RUN/answer" --data-urlencode "attempt=$M_ATTEMPT" --data-urlencode "token@$WB_RUN/token" \
    "$SERVER/boot/hosts/$HOST/claims"; then
    say "the server does not answer the claim"
    # It may have taken it all the same.
    use_token "$(cat "$WB_RUN/token")"
    ETAG=''
    return 1
  fi
  case $HTTP_STATUS in
    200 | 201) CLAIMED=yes; use_token "$(cat "$WB_RUN/token")" ;;
    409)
      say "claim refused: $(answer_reason "$WB_RUN/answer")"
      # An operator may have taken that token away. Any other is as good for an install that nobody has claimed; a disk that is looked
      # at again still has this one.
      { cat "$WB_RUN/token"; echo; } >> "$WB_RUN/tokens.refused"
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
  put_own_loader "$1"
  put_state
  put_host_files
  slot_mark_invalid "$M_SLOT" || fail 'the boot partition cannot be written'
  download_index
  flash_slot "$(device "$(partition_on "$CHOSEN" "warmboot-$M_SLOT")")" "$CHOSEN"
  put_boot_files "$M_SLOT"
  slot_mark_valid "$M_SLOT" "$M_IMAGE_DIGEST" "$M_IMAGE_NAME" "$M_ATTEMPT" || fail 'the boot partition cannot be written'
  put_host_name
  lead_others_here
}

# look_for_former: a disk of this host's own may still hold what the new image needs: the indexes are taken from its boot
# partition, which is about to be made anew. Any other disk is not even read.
look_for_former() {
  local slot
  FRESH=yes
  rm -rf "$WB_RUN/former"
  if [ "$M_INSTALL_WIPE" = true ] || ! { is_own "$CHOSEN" || is_half_made; }; then return; fi
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
  put_token
  put_host_name
  put_own_loader "$1"
  put_host_files
  lead_others_here
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
        true > "$WB_RUN/work/unwanted"
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
  phase state
  rm -f "$STATE"/files/slot-*
  files_fetch || fail "the host's files are not to be had: $REASON"
  files_for "$M_SLOT" || fail 'the state partition cannot be written'
}

make_boot_partition() {
  pass_bios_on
  tracked mkfs.vfat -F 32 -n WARMBOOT "$(device "$(partition_on "$CHOSEN" warmboot-boot)")" > /dev/null \
    || fail "mkfs.vfat: $(last_error)"
  mount_boot "$CHOSEN" rw || fail 'the new boot partition cannot be mounted'
}

# put_own_loader NODE: which starts the new slot, once that is valid; until then, what the host has on another disk.
put_own_loader() {
  put_loader "$1" "default=$M_SLOT" next= moved= "host=$(host_in_names)" "tries_$M_SLOT=3"
}

# put_loader NODE NAME=VALUE…: GRUB for UEFI on the boot partition with that environment, and GRUB for BIOS in its places on the disk.
put_loader() {
  local grub node
  grub=$WB_LIB/grub node=$1
  shift
  mkdir -p "$BOOT/EFI/BOOT" "$BOOT/grub" "$BOOT/warmboot"
  # The program after all that it reads: without that it stands at its prompt.
  put_once "$BOOT/grub/grub.cfg" "$grub/grub.cfg" && "$HELPER" grubenv "$BOOT/grub/spare" init \
    && grubenv_set "$@" && put_once "$BOOT/EFI/BOOT/BOOTX64.EFI" "$grub/BOOTX64.EFI" && boot_sync \
    || fail 'the boot partition cannot be written'
  if ! bios_can_start; then return; fi
  case $(probe "$CHOSEN" PTTYPE) in
    gpt) put_bios_loader "$node" gpt 2048 warmboot-bios ;;
    dos) put_bios_loader "$node" msdos 1 warmboot-boot ;;
  esac
}

# pass_bios_on: a BIOS that starts this disk goes on to the next (int 0x18), as long as GRUB, if one is there, has lost its files.
pass_bios_on() {
  if ! bios_can_start; then return; fi
  printf '\315\030' | dd of="$(device "$CHOSEN")" conv=notrunc,fsync 2> /dev/null || fail 'the BIOS boot code cannot be written'
}

# bios_can_start: the BIOS reads 512-byte sectors only; on a 4Kn disk its boot code would not work.
bios_can_start() {
  [ "$(disk_sector "$CHOSEN")" = 512 ]
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
  if ! { stays_in_place && mount_state "$CHOSEN" 2> /dev/null && [ "$(cat "$STATE/host" 2> /dev/null)" = "$M_HOST" ]; }; then
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
  put_token
  # Said when it is true: until then another token may be taken.
  phase state
  put_trust && put "$STATE/server.pem" < "$SERVER_PEM" && echo "$SERVER_URL" | put "$STATE/server.url" \
    && echo "$M_SERIAL" | put "$STATE/serial" && echo "$M_SERIAL" | put "$STATE/installed" && echo "$M_HOST" | put "$STATE/host" \
    && sed -n 's/^# disk: //p' "$WB_RUN/layout" | put "$STATE/disk" || fail 'the state partition cannot be written'
  note_data || fail 'the state partition cannot be written'
}

put_token() {
  put "$STATE/token" < "$WB_RUN/token" || fail 'the state partition cannot be written'
}

# stays_in_place: no other disk has a later state of this host, which is kept in memory then.
stays_in_place() {
  [ -z "${KEPT_FROM:-}" ] || [ "$KEPT_FROM" = "$CHOSEN" ]
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
