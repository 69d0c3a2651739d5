# shellcheck shell=sh
# Long work runs in a background shell, and the shell that started it watches: it alone reports, tells the console,
# and stops the work when the server no longer wants it. The two talk through files under $WB_RUN/work.

# A prefix such as `nice -n 19`, so that production goes first; the installer has the machine to itself.
GENTLY=${GENTLY:-}

# watched COMMAND…: 0 done, 1 failed (the reason is in $WB_RUN/work/reason), 2 dropped: the server has moved on.
watched() {
  local work reported shown now every usual
  WORK_ORDER=$M_ATTEMPT/$M_ACTION
  mkdir -p "$WB_RUN/work"
  rm -f "$WB_RUN/work/phase.before" "$WB_RUN/work/reason" "$WB_RUN/work/unwanted" "$WB_RUN/work/result" \
    "$WB_RUN/work/mirror-failed" "$WB_RUN/work/away"
  (
    "$@"
    true > "$WB_RUN/work/result"
  ) &
  work=$!
  # For the person who asks whether it goes on.
  echo "$work" > "$WB_RUN/work/worker"
  reported=$(uptime_seconds) shown=$reported
  # The server says with `poll` how often it wants to be spoken to by those who work.
  usual=$((M_POLL > 5 ? M_POLL * 3 / 5 : 3)) every=$usual
  while [ ! -e "$WB_RUN/work/result" ] && kill -0 "$work" 2> /dev/null; do
    sleep 0.3
    note_memory
    read_uptime
    now=$UPTIME
    if [ $((now - shown)) -ge 5 ]; then
      shown=$now
      say "progress $(phase_now)$(progress_text)"
    fi
    if [ $((now - reported)) -ge "$every" ]; then
      reported=$now
      set -- "phase=$(phase_now)"
      if [ "$1" = phase=wait ]; then set -- "$1" 'reason=waits for its turn: the server is busy'; fi
      # shellcheck disable=SC2046 # one word a field
      report progress "$@" $(progress_fields)
      case $? in
        0) every=$usual; rm -f "$WB_RUN/work/away" ;;
        2) rm -f "$WB_RUN/work/away"; if is_superseded; then drop_work; fi ;;
        # So many hosts that work must not meet a server again, which was away, in the same second.
        *) every=$(longer "$every" 30) reported=$((now + $(jitter 3))); true > "$WB_RUN/work/away" ;;
      esac
    fi
  done
  wait "$work" 2> /dev/null
  if [ -e "$WB_RUN/work/unwanted" ]; then return 2; fi
  [ -e "$WB_RUN/work/result" ] && [ ! -e "$WB_RUN/work/reason" ]
}

# note_memory: LEAST_MEMORY is the least that was free for programs while the work went on, in KiB. No program runs for it.
note_memory() {
  local key value rest
  while read -r key value rest; do
    if [ "$key" = MemAvailable: ]; then
      if [ -z "${LEAST_MEMORY:-}" ] || [ "$value" -lt "$LEAST_MEMORY" ]; then LEAST_MEMORY=$value; fi
      return
    fi
  done < "$WB_PROC/meminfo"
} 2> /dev/null

# is_superseded: only a signed manifest that orders something else stops work; a server that is away, or that calls a
# report stale, does not. In a shell of its own: what is going on goes on by the words of its own manifest, whatever another one says,
# and be that an old one that is refused. News of the server are for all.
is_superseded() {
  (manifest_fetch 0 && [ "$M_ATTEMPT/$M_ACTION" != "$WORK_ORDER" ])
  set -- $?
  if cmp -s "${SERVER_PEM%/*}/trust" "$WB_RUN/trust.new"; then trust_settle; fi
  return "$1"
}

drop_work() {
  say "attempt $ATTEMPT is no longer wanted, its work stops"
  true > "$WB_RUN/work/unwanted"
  kill "$(cat "$WB_RUN/work/pid" 2> /dev/null)" 2> /dev/null
}

# --- inside the work -------------------------------------------------------------------------------------------

# phase NAME [PROGRESS]: what is being done now, and the helper's file that says how far it is.
phase() {
  mkdir -p "$WB_RUN/work"
  printf '%s %s\n' "$1" "${2:-}" > "$WB_RUN/work/phase"
  say "phase $1"
}

# fail REASON: ends the work.
fail() {
  printf '%s\n' "$1" > "$WB_RUN/work/reason"
  exit 1
}

still_wanted() {
  if [ -e "$WB_RUN/work/unwanted" ]; then exit 1; fi
}

# tracked COMMAND…: run so that drop_work can end it. Its errors go to a file of their own, see last_error.
tracked() {
  local result
  # shellcheck disable=SC2016,SC2086 # the inner shell's own words; GENTLY is a command and its options
  $GENTLY sh -c 'echo "$$" > "$1"; shift; exec "$@"' sh "$WB_RUN/work/pid" "$@" 2> "$WB_RUN/work/command.err"
  result=$?
  # From now on that number may be any other process's of this machine, and the work may be dropped while it waits for its turn.
  rm -f "$WB_RUN/work/pid"
  return "$result"
}

# last_error: the last line that the last tracked command had to say.
last_error() {
  tail -n 1 "$WB_RUN/work/command.err" 2> /dev/null
}

# --- what the watcher can say about it -------------------------------------------------------------------------

phase_now() {
  awk '{ print $1 }' "$WB_RUN/work/phase" 2> /dev/null
}

progress_fields() {
  awk '{ print $2 }' "$WB_RUN/work/phase" 2> /dev/null | while read -r file; do
    if [ -n "$file" ]; then awk 'NF >= 4 { printf "bytesDone=%s bytesTotal=%s", $3, $4 }' "$file" 2> /dev/null; fi
  done
}

progress_text() {
  progress_fields | tr '=' ' ' | awk '$4 > 0 { printf " %d%% of %d MiB", 100 * $2 / $4, $4 / 1048576 }'
}
