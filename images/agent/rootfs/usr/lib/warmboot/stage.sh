# shellcheck shell=sh
# Stage: an image onto a slot that does not run, while production goes on.

stage() {
  local part result
  ATTEMPT=$M_ATTEMPT
  if ! stage_allowed; then refuse stage; return; fi
  # The server orders it only when it wants the bytes written; so only what this very order wrote needs no second time.
  if [ "$(slot_state "$M_SLOT")" = valid ] && [ "$(slot_record "$M_SLOT" ATTEMPT)" = "$M_ATTEMPT" ] \
    && [ "$(slot_record "$M_SLOT" DIGEST)" = "$M_IMAGE_DIGEST" ]; then
    say "slot $M_SLOT was written for this attempt already"
    report_staged
    return
  fi
  part=$(partition_on "$DISK" "warmboot-$M_SLOT")
  say "stage $M_IMAGE_NAME $M_IMAGE_DIGEST to slot $M_SLOT, attempt $ATTEMPT"
  forget_trial
  gently watched stage_work "$(device "$part")"
  result=$?
  # What the image is made of lies in memory, some MiB, and the jump may be weeks away.
  rm -f "$WB_RUN"/work/*.json
  case $result in
    0) report_staged ;;
    2) ETAG='' ;;
    *) refuse "$(phase_now)" "$(cat "$WB_RUN/work/reason" 2> /dev/null || echo 'the work ended without a word')" ;;
  esac
  boot_readonly
}

# The order of these steps is what makes a power cut at any moment harmless.
stage_work() {
  phase write
  download_index
  has_room "$(partition_on "$DISK" "warmboot-$M_SLOT")"
  # Once the slot is invalid nobody knows any more what it held.
  FORMER_DIGEST=$(slot_record "$M_SLOT" DIGEST) || FORMER_DIGEST=''
  if ! { boot_writable && slot_mark_invalid "$M_SLOT" && boot_readonly; }; then fail "the boot partition cannot be written"; fi
  flash_slot "$1" "$DISK"
  boot_writable || fail "the boot partition cannot be written"
  put_boot_files "$M_SLOT"
  # It has proved nothing: where the default uses up its tries GRUB must not start it instead, without a trial.
  grubenv_set "tries_$M_SLOT=0" || fail "grubenv cannot be written"
  slot_mark_valid "$M_SLOT" "$M_IMAGE_DIGEST" "$M_IMAGE_NAME" "$M_ATTEMPT" || fail "the boot partition cannot be written"
}

# has_room PARTITION: an image that is too large for its slot costs it nothing.
has_room() {
  local needed bytes
  needed=$("$HELPER" field "$WB_RUN/work/index.json" filesystem.bytes 2> /dev/null)
  bytes=$(($(cat "$WB_SYS/class/block/$1/size") * 512))
  case $needed in '' | *[!0-9]*) fail "the image's index does not say how large it is" ;; esac
  if [ "$needed" -gt "$bytes" ]; then
    fail "slot $M_SLOT of this disk has $((bytes >> 20)) MiB, the image needs $(((needed + 1048575) >> 20)): install this host with larger slots"
  fi
}

# A manifest may be signed and still ask for what would cost the machine its way back.
stage_allowed() {
  local part
  REASON=''
  if [ -n "$IN_TRIAL" ]; then REASON='a trial is going on'
  elif [ "$M_SLOT" = "$SLOT" ]; then REASON="slot $M_SLOT is running"
  elif is_refused; then REASON=$(refusal_of "$M_IMAGE_DIGEST")
  elif [ "$M_SLOT" = "$(grubenv_get default)" ]; then REASON="slot $M_SLOT is the boot default, and this system runs from slot $SLOT"
  elif ! part=$(partition_on "$DISK" "warmboot-$M_SLOT"); then REASON="this disk has no slot '$M_SLOT': give the host the layout that it was installed with, or install it anew"
  elif is_in_use "$part"; then REASON="slot $M_SLOT is mounted"
  else root_fits "$part" || return 1
  fi
  [ -z "$REASON" ]
}

# root_fits PARTITION: the command line must lead to the slot on this very disk, not to a twin in the same machine.
root_fits() {
  local uuid
  uuid=$(partition_uuid "$1")
  if [ -z "$uuid" ]; then
    REASON="the partition table of this disk cannot be read: look at the kernel's log and the disk"
    return 1
  fi
  if [ "$M_ROOT" != "PARTUUID=$uuid" ]; then
    REASON="the manifest's root is '$M_ROOT', slot $M_SLOT of this disk is 'PARTUUID=$uuid'"
    return 1
  fi
}

report_staged() {
  say "staged slot $M_SLOT $M_IMAGE_DIGEST"
  # shellcheck disable=SC2046 # one word a field
  report_keep staged slot="$M_SLOT" digest="$M_IMAGE_DIGEST" $(slot_fields "$DISK")
}

# refuse PHASE [REASON]: the order cannot be carried out; said once to the server, and not tried again for this
# attempt.
refuse() {
  if [ -n "${2:-}" ]; then REASON=$2; fi
  say "failed $1: $REASON"
  log_tail "$WB_RUN/log.tail"
  REFUSED=$M_ATTEMPT/$M_ACTION
  # shellcheck disable=SC2046 # one word a field
  report_keep failed phase="$1" reason="$REASON" slot="$SLOT" digest="$DIGEST" $(slot_fields "$DISK") log@"$WB_RUN/log.tail"
  stays_here
}
