# shellcheck shell=sh
# An image from the server onto a slot. These functions run inside `watched` (work.sh); `fail` there ends the work.

# How long a server may be away, with not one byte coming, before the work is given up.
PATIENCE_SECONDS=${PATIENCE_SECONDS:-3600}

# flash_slot DEVICE: index, frames, data; then everything read back from the disk and compared.
flash_slot() {
  local progress
  mkdir -p "$WB_RUN/work"
  # Named by what it belongs to: an agent that was restarted goes on where it was, and never in another image's place.
  progress=$WB_RUN/work/progress-$M_SLOT-${M_IMAGE_DIGEST#sha256:}
  download "$M_STAGE_INDEX" "$WB_RUN/work/index.json" "${M_IMAGE_DIGEST#sha256:}"
  download "$M_STAGE_FRAMES" "$WB_RUN/work/frames.json" ''
  phase write "$progress"
  write_data "$1" "$progress"
  rm -f "$progress"
  phase check
  tracked "$HELPER" check "$WB_RUN/work/index.json" "$1" \
    || fail "the slot does not hold what was written: $(last_error)"
}

# write_data DEVICE PROGRESS: a stream that ends early is taken up where it ended, for as long as the server may be away.
write_data() {
  local offset before quiet_since delay damaged result
  offset=0 before=-1 damaged=0
  while :; do
    offset=$(awk '{ print $2 }' "$2" 2> /dev/null)
    offset=${offset:-0}
    if [ "$offset" != "$before" ]; then
      before=$offset quiet_since=$(uptime_seconds) delay=1
    fi
    # The status line of the answer lands in a file: a pipeline tells only how its last command ended.
    # shellcheck disable=SC2086 # GENTLY is a command and its options
    tracked curl -q -g -sS -K "$WB_RUN/curl.conf" --fail --connect-timeout 5 --speed-limit 1 --speed-time 30 \
      ${RATE_LIMIT:+--limit-rate "$RATE_LIMIT"} -D "$WB_RUN/work/data.headers" -r "$offset-" "$(resolve "$M_STAGE_DATA")" \
      | $GENTLY "$HELPER" write "$WB_RUN/work/index.json" "$WB_RUN/work/frames.json" "$1" "$2" 2> "$WB_RUN/work/helper.err"
    result=$?
    still_wanted
    case $result in
      0) return 0 ;;
      3) note "the data ended at $offset: $(last_error)" ;;
      4)
        damaged=$((damaged + 1))
        note "damaged data after $offset, once more: $(last_error helper)"
        if [ "$damaged" -gt 5 ]; then fail "the data from the server is damaged: $(last_error helper)"; fi
        if [ "$damaged" -gt 1 ]; then renew_frames "$2"; fi ;;
      *) fail "$(last_error helper)" ;;
    esac
    case $(awk 'NR == 1 { print $2 }' "$WB_RUN/work/data.headers" 2> /dev/null) in
      401 | 403 | 404 | 410 | 416)
        damaged=$((damaged + 1))
        if [ "$damaged" -gt 5 ]; then fail "the server does not give the image's data: $(head -n 1 "$WB_RUN/work/data.headers" | tr -d '\r')"; fi ;;
    esac
    if [ $(($(uptime_seconds) - quiet_since)) -gt "$PATIENCE_SECONDS" ]; then fail "no data from the server for $PATIENCE_SECONDS s"; fi
    sleep $((delay + $(jitter 1)))
    delay=$(longer "$delay" 10)
  done
}

# renew_frames PROGRESS: a server may have packed the same image anew, so that the frames lie elsewhere in `data`.
renew_frames() {
  mv "$WB_RUN/work/frames.json" "$WB_RUN/work/frames.old"
  download "$M_STAGE_FRAMES" "$WB_RUN/work/frames.json" ''
  cmp -s "$WB_RUN/work/frames.old" "$WB_RUN/work/frames.json" || rm -f "$1"
}

# put_boot_files SLOT: kernel, initrd and command line to the boot partition, which must be writable.
put_boot_files() {
  local at free
  at=$BOOT/warmboot/$1
  phase boot-files
  # The old ones first: the partition need not have room for both.
  mkdir -p "$at" && rm -f "$at"/*
  free=$(df -Pk "$BOOT" | awk 'NR == 2 { print $4 }')
  if [ $(((M_KERNEL_BYTES + M_INITRD_BYTES) / 1024 + 1024)) -gt "$free" ]; then
    fail "the boot partition has $free KiB free, kernel and initrd need $(((M_KERNEL_BYTES + M_INITRD_BYTES) / 1024))"
  fi
  download "$M_KERNEL_URL" "$at/vmlinuz.new" "$M_KERNEL_SHA256"
  download "$M_INITRD_URL" "$at/initrd.new" "$M_INITRD_SHA256"
  # On the disk before they get their names.
  boot_sync || fail "the boot partition cannot be written"
  if ! { mv -f "$at/vmlinuz.new" "$at/vmlinuz" && mv -f "$at/initrd.new" "$at/initrd.img" \
    && slot_put_command_line "$1" "$M_APPEND" "$M_TRIAL"; }; then
    fail "the boot partition cannot be written"
  fi
}

# download URL FILE SHA256: FILE holds it, with that sha256 when one is given.
download() {
  local url since delay refused
  url=$(resolve "$1") since=$(uptime_seconds) delay=1 refused=0
  while :; do
    still_wanted
    if tracked curl -q -g -sS -K "$WB_RUN/curl.conf" --fail --connect-timeout 5 --speed-limit 1 --speed-time 30 \
      ${RATE_LIMIT:+--limit-rate "$RATE_LIMIT"} -o "$2" "$url"; then
      if [ -z "$3" ] || [ "$("$HELPER" digest "$2" | sed 's/^sha256://; s/ .*//')" = "$3" ]; then return 0; fi
      refused=$((refused + 1))
      note "$url came damaged"
      if [ "$refused" -gt 5 ]; then fail "$1 has not the sha256 that the manifest names"; fi
    else
      note "$url: $(last_error)"
      case $(last_error) in *' 401'* | *' 403'* | *' 404'* | *' 410'*) refused=$((refused + 1)) ;; esac
      # A full or failing disk shows here too: curl says so, and it will not get better.
      case $(last_error) in *'(23)'*) fail "writing ${2##*/}: $(last_error)" ;; esac
      if [ "$refused" -gt 5 ] || [ $(($(uptime_seconds) - since)) -gt "$PATIENCE_SECONDS" ]; then fail "$1: $(last_error)"; fi
    fi
    sleep $((delay + $(jitter 1)))
    delay=$(longer "$delay" 10)
  done
}
