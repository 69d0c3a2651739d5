# shellcheck shell=sh
# Reports to the server. Only one process of this boot sends them, so that `seq` rises.

# report_compose KIND field=value… log@FILE…: one field a line, with the attempt in ATTEMPT, boot id and next number.
report_compose() {
  local kind seq
  kind=$1
  shift
  seq=$(cat "$WB_RUN/seq" 2> /dev/null)
  seq=$((${seq:-0} + 1))
  # Not emptied before: where /run is full the number would begin anew, and the server take everything for old.
  echo "$seq" 1<> "$WB_RUN/seq"
  printf '%s\n' "kind=$kind" "attempt=${ATTEMPT:-}" "bootId=$(boot_id)" "seq=$seq" "$@"
}

# report_send SECONDS FILE: 0 taken, 1 not delivered (try again), 2 stale: the work it speaks of is no longer wanted,
# 3 refused for good.
report_send() {
  local limit line
  limit=$1
  read_uptime
  if [ "$UPTIME" -lt "${REPORTS_AFTER:-0}" ]; then return 1; fi
  set -- "$2"
  while IFS= read -r line; do set -- "$@" --data-urlencode "$line"; done < "$1"
  shift
  request "$limit" "$WB_RUN/answer" "$@" "$SERVER/boot/hosts/$HOST/reports" || { trust_lost; return 1; }
  case $HTTP_STATUS in
    200) return 0 ;;
    202 | 409) return 2 ;;
    400 | 413 | 422) note "report refused: $(answer_reason "$WB_RUN/answer")"; return 3 ;;
    *)
      if told_to_wait "$WB_RUN/headers"; then REPORTS_AFTER=$(($(uptime_seconds) + TURN)); fi
      # Who works for an hour only reports meanwhile.
      trust_lost
      return 1 ;;
  esac
}

# report KIND field=value…: once, within a few seconds; a report lost here is made good by a later one. What waits in the
# outbox goes first: a server that heard of later things would not take earlier ones.
report() {
  outbox_flush || return 1
  compose "$@" && report_send 10 "$REPORT"
}

# compose KIND field=value…: REPORT is the file that holds it; on the state partition where /run is full.
compose() {
  for REPORT in "$WB_RUN/report" "$OUTBOX/report"; do
    if { report_compose "$@" > "$REPORT"; } 2> /dev/null; then return 0; fi
  done
  return 1
}

# report_keep KIND field=value…: waits in the outbox until the server has it; the agent's outbox outlives boots.
# 0 when it was delivered at once, as was everything before it.
report_keep() {
  local next log
  # A server that never takes anything must not fill the partition.
  if [ "$(outbox_names | wc -l)" -ge 64 ]; then outbox_drop "$(outbox_names | head -n 1)"; fi
  next=$(outbox_names | awk '{ last = $0 } END { printf "%08d", last + 1 }')
  compose "$@" || { say "the report '$1' cannot be written anywhere"; return 1; }
  log=$(sed -n 's/^log@//p' "$REPORT")
  if report_store "$next" "$log"; then
    outbox_flush
  else
    # A full or broken partition: what cannot be kept is told at once, or not at all.
    outbox_drop "$next"
    outbox_flush && report_send 10 "$REPORT"
  fi
}

# report_store NUMBER LOG: the report into the outbox. A log goes on and a retry must be the same to the byte, so it gets a copy.
report_store() {
  if [ -z "$2" ]; then put "$OUTBOX/$1" < "$REPORT"; return; fi
  put "$OUTBOX/log-$1" < "$2" && sed "s|^log@.*|log@$OUTBOX/log-$1|" "$REPORT" | put "$OUTBOX/$1"
}

# open_outbox: on a disk that takes no writes any more what is to be told waits in memory, so that the server hears of it at all.
open_outbox() {
  OUTBOX=$STATE/outbox
  if takes_writes "$OUTBOX"; then return; fi
  say "the state partition takes no writes"
  OUTBOX=$WB_RUN/outbox
  if [ ! -d "$OUTBOX" ]; then
    # What an earlier boot could not tell is told from here.
    mkdir -p "$OUTBOX"
    if [ -d "$STATE/outbox" ]; then cp -R "$STATE/outbox/." "$OUTBOX"; fi
  fi
}

takes_writes() {
  mkdir -p "$1" 2> /dev/null && [ -w "$1" ]
}

outbox_names() {
  local file
  for file in "$OUTBOX"/[0-9]*; do
    case $file in *.new | *'*') ;; *) echo "${file##*/}" ;; esac
  done
}

# outbox_flush: in order; 0 when everything was acknowledged, 1 when something is still to be told.
outbox_flush() {
  local file
  for file in "$OUTBOX"/[0-9]*; do
    case $file in *.new | *'*') continue ;; esac
    report_send 10 "$file"
    if [ $? -eq 1 ]; then return 1; fi
    outbox_drop "${file##*/}"
  done
}

outbox_drop() {
  rm -f "$OUTBOX/$1" "$OUTBOX/log-$1"
}
