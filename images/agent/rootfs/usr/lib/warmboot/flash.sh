# shellcheck shell=sh
# An image from the server onto a slot. These functions run inside `watched` (work.sh); `fail` there ends the work.

# How long a server may be away, with not one byte coming, before the work is given up.
PATIENCE_SECONDS=${PATIENCE_SECONDS:-3600}

# fetched PATH HEADERS curl-arguments…: as `tracked`, from the server, or from the mirror that the manifest names until it fails
# in this work. A mirror need not be trusted, for everything is hashed; it does not get the host's token.
fetched() {
  local url headers rate
  url=$(resolve "$1") headers=$2
  if [ -n "$(mirror_of "$1")" ]; then url=$(mirror_of "$1"); fi
  shift 2
  rate=$(staging_rate)
  rm -f "$headers"
  tracked curl -q -g -sS -K "$(conf_for "$url")" --fail --connect-timeout 5 --speed-limit 1 --speed-time 30 \
    ${rate:+--limit-rate "$rate"} -D "$headers" "$@" "$url"
}

# mirror_of PATH: its address at the mirror; nothing when there is none to be asked. By TLS the server names files of the boot plane.
mirror_of() {
  set -- "${1#"${T_BOOT_URL:-}"}"
  case $1 in /*) if [ -n "${M_MIRROR:-}" ] && [ -z "${MIRROR_FAILED:-}" ]; then echo "${M_MIRROR%/}$1"; fi ;; esac
}

# mirror_failed PATH WHY: 0 when it was the mirror that failed; the rest then comes from the server.
mirror_failed() {
  [ -n "$(mirror_of "$1")" ] || return 1
  say "the mirror $M_MIRROR fails, the server is asked: $2"
  MIRROR_FAILED=yes
}

# staging_rate: what curl may take, in bytes per second: the lower one of the manifest's and of /etc/warmboot/agent.conf's.
staging_rate() {
  printf '%s\n' "${RATE_LIMIT:-}" "${M_RATE:-}" | awk '
    {
      rate = $1 + 0
      unit = index("kmg", tolower(substr($1, length($1))))
      if (unit > 0) rate *= 1024 ^ unit
      if (rate >= 1 && (least == 0 || rate < least)) least = rate
    }
    END { if (least > 0) printf "%d\n", least }'
}

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
  local offset before quiet_since delay damaged result headers empty
  offset=0 before=-1 damaged=0 empty=0 headers=$WB_RUN/work/data.headers
  while :; do
    offset=$(awk '{ print $2 }' "$2" 2> /dev/null)
    offset=${offset:-0}
    if [ "$offset" != "$before" ]; then
      before=$offset quiet_since=$(uptime_seconds) delay=1 empty=0
    fi
    # The status line of the answer lands in a file: a pipeline tells only how its last command ended.
    # shellcheck disable=SC2086 # GENTLY is a command and its options
    fetched "$M_STAGE_DATA" "$headers" -r "$offset-" \
      | $GENTLY "$HELPER" write "$WB_RUN/work/index.json" "$WB_RUN/work/frames.json" "$1" "$2" 2> "$WB_RUN/work/helper.err"
    result=$?
    still_wanted
    if [ "$result" = 3 ] && told_to_wait "$headers"; then
      wait_turn
      quiet_since=$(uptime_seconds)
      continue
    fi
    turn_came
    case $result in
      0) return 0 ;;
      3)
        note "the data ended after $offset: $(last_error)"
        # One that breaks off may be taken up; one from which nothing comes twice is given up.
        empty=$((empty + 1))
        if [ "$empty" -gt 1 ] && mirror_failed "$M_STAGE_DATA" "$(last_error)"; then continue; fi ;;
      4)
        mirror_failed "$M_STAGE_DATA" 'its data is damaged' || damaged=$((damaged + 1))
        note "damaged data after $offset, once more: $(last_error helper)"
        if [ "$damaged" -gt 5 ]; then fail "the data from the server is damaged: $(last_error helper)"; fi
        if [ "$damaged" -gt 1 ] || [ -n "${MIRROR_FAILED:-}" ]; then renew_frames "$2"; fi ;;
      *) fail "$(last_error helper)" ;;
    esac
    case $(awk 'NR == 1 { print $2 }' "$headers" 2> /dev/null) in
      401 | 403 | 404 | 410 | 416)
        if mirror_failed "$M_STAGE_DATA" "$(head -n 1 "$headers" | tr -d '\r')"; then continue; fi
        damaged=$((damaged + 1))
        if [ "$damaged" -gt 5 ]; then fail "the server does not give the image's data: $(head -n 1 "$headers" | tr -d '\r')"; fi ;;
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
  local since delay refused headers
  since=$(uptime_seconds) delay=1 refused=0 headers=$WB_RUN/work/headers
  while :; do
    still_wanted
    if fetched "$1" "$headers" -o "$2"; then
      turn_came
      if [ -z "$3" ] || [ "$("$HELPER" digest "$2" | sed 's/^sha256://; s/ .*//')" = "$3" ]; then return 0; fi
      if mirror_failed "$1" "$1 has not the sha256 that the manifest names"; then continue; fi
      refused=$((refused + 1))
      note "$1 came damaged"
      if [ "$refused" -gt 5 ]; then fail "$1 has not the sha256 that the manifest names"; fi
    elif told_to_wait "$headers"; then
      wait_turn
      since=$(uptime_seconds)
      continue
    else
      turn_came
      note "$1: $(last_error)"
      case $(last_error) in *' 401'* | *' 403'* | *' 404'* | *' 410'*) refused=$((refused + 1)) ;; esac
      # A full or failing disk shows here too: curl says so, and it will not get better.
      case $(last_error) in *'(23)'*) fail "writing ${2##*/}: $(last_error)" ;; esac
      if mirror_failed "$1" "$(last_error)"; then continue; fi
      if [ "$refused" -gt 5 ] || [ $(($(uptime_seconds) - since)) -gt "$PATIENCE_SECONDS" ]; then fail "$1: $(last_error)"; fi
    fi
    sleep $((delay + $(jitter 1)))
    delay=$(longer "$delay" 10)
  done
}
