# shellcheck shell=sh
# An image from the server onto a slot. These functions run inside `watched` (work.sh); `fail` there ends the work.

# How many requests for data at once; with a rate limit it is one.
STREAMS=${STREAMS:-2}

# download_index: what the image is made of.
download_index() {
  mkdir -p "$WB_RUN/work"
  download_beside "$(known_index)" "$M_STAGE_INDEX" "$WB_RUN/work/index.json" "${M_IMAGE_DIGEST#sha256:}" \
    "$MOST_TEXT_BYTES"
}

# flash_slot DEVICE [DISK]: frames and data of the index that was downloaded; then everything read back from the disk and
# compared. What the slots of DISK hold is used; with FRESH set the device is not read before.
flash_slot() {
  local progress device disk slot index
  progress=$WB_RUN/work/progress-$M_SLOT
  download_frames
  device=$1 disk=${2:-}
  set --
  for slot in ${disk:+$(slots_on "$disk")}; do
    if index=$(index_of_slot "$slot"); then
      set -- "$@" --from "$index" "$(device "$(partition_on "$disk" "warmboot-$slot")")"
    fi
  done
  phase write "$progress"
  write_data "$device" "$progress" "$@"
  rm -f "$progress"
  # Each chunk's sha256 was right in memory, and the disk took it. Reading it back finds a disk that says so and lies; an operator
  # may have said that this one need not be asked.
  if [ "${M_READ_BACK:-}" = false ]; then return 0; fi
  phase check
  tracked "$HELPER" check "$WB_RUN/work/index.json" "$device" \
    || fail "the slot does not hold what was written: $(last_error)"
}

# download_frames: every chunk that they name stands in the index.
download_frames() {
  download_beside "$WB_RUN/work/index.json" "$M_STAGE_FRAMES" "$WB_RUN/work/frames.json" '' "$MOST_TEXT_BYTES"
}

# write_data DEVICE PROGRESS --from…: the helper finds out what is missing, and has it fetched by fetch-run, which waits and tries
# again. It ends early when what it got is wrong; another run goes on from what lies on the device.
write_data() {
  local device progress damaged result rate streams fresh
  device=$1 progress=$2 damaged=0 streams=$STREAMS fresh=${FRESH:-}
  shift 2
  rate=$(lowest_rate "${DISK_RATE_LIMIT:-}")
  if [ -n "$(staging_rate)" ]; then streams=1; fi
  rm -f "$WB_RUN/work/data.state" "$WB_RUN/work/data.etag"
  tell_fetchers
  while :; do
    rm -f "$WB_RUN/work/changed"
    tracked "$HELPER" flash "$WB_RUN/work/index.json" "$WB_RUN/work/frames.json" "$device" "$progress" "$streams" \
      ${fresh:+--fresh} ${rate:+--rate "$rate"} "$@" -- sh "$WB_LIB/fetch-run" "$M_STAGE_DATA"
    result=$? fresh=''
    still_wanted
    turn_came
    if [ -s "$WB_RUN/work/command.err" ]; then note "$(cat "$WB_RUN/work/command.err")"; fi
    case $result in
      0) say "fetched $(awk '{ printf "%d KiB of data", $1 / 1024 }' "$progress")"; return 0 ;;
      4) mirror_failed "$M_STAGE_DATA" 'its data is damaged' || damaged=$((damaged + 1)) ;;
      3)
        if [ -s "$WB_RUN/work/reason" ]; then exit 1; fi
        [ -e "$WB_RUN/work/changed" ] || fail "$(last_error)"
        note "the image's data is not what it was"
        damaged=$((damaged + 1)) ;;
      *) fail "$(last_error)" ;;
    esac
    if [ "$damaged" -gt 5 ]; then fail "the data from the server is damaged: $(last_error)"; fi
    # A server may have packed the same image anew, so that the frames lie elsewhere in `data`.
    if [ "$result" = 3 ] || [ "$damaged" -gt 1 ] || [ -e "$WB_RUN/work/mirror-failed" ]; then
      rm -f "$WB_RUN/work/data.etag"
      download_frames
      sleep "$damaged"
    fi
  done
}

# tell_fetchers: what fetch-run, which the helper starts, has to know.
tell_fetchers() {
  M_MIRROR=${M_MIRROR:-} M_RATE=${M_RATE:-} T_BOOT_URL=${T_BOOT_URL:-} CURL_HAS_NEXT=''
  if curl_has_next; then CURL_HAS_NEXT=yes; fi
  export WB_LIB WB_RUN WB_SYS WB_PROC WB_CONSOLE HELPER SERVER T_BOOT_URL M_MIRROR M_RATE RATE_LIMIT \
    PATIENCE_SECONDS MOST_WAIT_SECONDS CURL_HAS_NEXT
}

# --- what a slot was written from: the index of its image, beside its kernel ----------------------------------------

# index_of_slot SLOT: where it lies. An agent of before did not keep it, so it is asked for, once: without it all that costs is a
# longer download. Nothing rests on it; what lies on the disk is hashed.
index_of_slot() {
  local digest file
  for file in "$BOOT/warmboot/$1/index.json" "$WB_RUN/former/$1.json"; do
    if [ -s "$file" ]; then echo "$file"; return; fi
  done
  digest=$(slot_record "$1" DIGEST) || digest=''
  if [ "$1" = "$M_SLOT" ]; then digest=${FORMER_DIGEST:-$digest}; fi
  [ -n "$digest" ] || return 1
  file=$WB_RUN/work/index-$1.json
  case $M_STAGE_INDEX in */"$M_IMAGE_DIGEST"/*) ;; *) return 1 ;; esac
  if fetched "${M_STAGE_INDEX%%"$M_IMAGE_DIGEST"*}$digest${M_STAGE_INDEX#*"$M_IMAGE_DIGEST"}" "$WB_RUN/work/headers" \
    "$MOST_TEXT_BYTES" -m 60 -o "$file" && has_sha256 "$file" "${digest#sha256:}"; then
    echo "$file"
    return
  fi
  rm -f "$file"
  return 1
}

# known_index: of an image that this disk has, rather of the one that runs: most of the next one's stands there.
known_index() {
  local file
  for file in "$BOOT/warmboot/${SLOT:-}/index.json" "$BOOT"/warmboot/[a-h]/index.json "$WB_RUN"/former/[a-h].json; do
    if [ -s "$file" ]; then echo "$file"; return; fi
  done
}

# keep_index SLOT: for the next image that comes to this disk. Where there is no room for it, that one will be downloaded whole.
keep_index() {
  local at
  at=$BOOT/warmboot/$1
  rm -f "$at/index.json"
  if [ $(($(wc -c < "$WB_RUN/work/index.json") / 1024 + 1024)) -gt "$(free_on_boot)" ]; then
    note "the boot partition has no room for the image's index"
    return
  fi
  put "$at/index.json" < "$WB_RUN/work/index.json" || rm -f "$at/index.json.new" "$at/index.json"
}

free_on_boot() {
  df -Pk "$BOOT" | awk 'NR == 2 { print $4 }'
}

# put_boot_files SLOT: kernel, initrd, command line and index to the boot partition, which must be writable.
put_boot_files() {
  local at file needed
  at=$BOOT/warmboot/$1 needed=$(((M_KERNEL_BYTES + M_INITRD_BYTES) / 1024 + 1024))
  phase boot-files
  # The old ones first: the partition need not have room for both. The index stays until another takes its place.
  mkdir -p "$at"
  for file in "$at"/*; do
    case $file in */index.json) ;; *) rm -f "$file" ;; esac
  done
  if [ "$needed" -gt "$(free_on_boot)" ]; then rm -f "$at/index.json"; fi
  if [ "$needed" -gt "$(free_on_boot)" ]; then
    fail "the boot partition has $(free_on_boot) KiB free, kernel and initrd need $((needed - 1024))"
  fi
  put_boot_file "$at/vmlinuz.new" vmlinuz "$M_KERNEL_URL" "$M_KERNEL_SHA256" "$M_KERNEL_BYTES"
  put_boot_file "$at/initrd.new" initrd.img "$M_INITRD_URL" "$M_INITRD_SHA256" "$M_INITRD_BYTES"
  # On the disk before they get their names.
  boot_sync || fail "the boot partition cannot be written"
  if ! { mv -f "$at/vmlinuz.new" "$at/vmlinuz" && mv -f "$at/initrd.new" "$at/initrd.img" \
    && slot_put_command_line "$1" "$M_APPEND" "$M_TRIAL"; }; then
    fail "the boot partition cannot be written"
  fi
  keep_index "$1"
}

# put_boot_file FILE NAME URL SHA256 BYTES: FILE holds it. Images that differ by a layer mostly have one kernel: what another slot has
# under that NAME is taken when it is the same, and only what none has is fetched.
put_boot_file() {
  local other
  for other in "$BOOT"/warmboot/[a-h]/"$2"; do
    [ -f "$other" ] && [ "$(wc -c < "$other")" -eq "$5" ] || continue
    if tracked cp "$other" "$1" && has_sha256 "$1" "$4"; then
      say "${other#"$BOOT/"} is what this image needs, too"
      return
    fi
  done
  download "$3" "$1" "$4" "$5"
}
