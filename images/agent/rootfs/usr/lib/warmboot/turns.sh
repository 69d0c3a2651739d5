# shellcheck shell=sh
# A server that says "not now" (503 or 429 with Retry-After) is no failure: the work waits for its turn, says so, and goes on
# where it was.

# No server is waited for longer at a time, in seconds: what it says may be wrong.
MOST_WAIT_SECONDS=${MOST_WAIT_SECONDS:-300}

# told_to_wait HEADERS: whether the answer with these headers says when to come back. TURN is then in how many seconds, with
# some more by chance. A date is counted from the server's own, for the clock here may be years off.
told_to_wait() {
  TURN=$(awk -v most="$MOST_WAIT_SECONDS" '
    # Days since some day long ago, in the Gregorian calendar; the year begins in March.
    function days(y, m, d) {
      if (m <= 2) { y--; m += 12 }
      return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + d
    }
    # Of a date such as "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7); -1 for anything else.
    function seconds(text, word, time, month) {
      if (split(text, word, " ") != 6 || split(word[5], time, ":") != 3) return -1
      month = (index("JanFebMarAprMayJunJulAugSepOctNovDec", word[3]) + 2) / 3
      if (month < 1 || month != int(month)) return -1
      return days(word[4] + 0, month, word[2] + 0) * 86400 + time[1] * 3600 + time[2] * 60 + time[3]
    }
    { sub(/\r$/, ""); name = tolower($1) }
    /^HTTP\// { status = $2; after = ""; date = "" }
    name == "retry-after:" { after = $0; sub(/^[^:]*:[ \t]*/, "", after) }
    name == "date:" { date = $0; sub(/^[^:]*:[ \t]*/, "", date) }
    END {
      if ((status != 503 && status != 429) || after == "") exit
      if (after ~ /^[0-9]+$/) wait = after + 0
      else {
        if (seconds(after) < 0 || seconds(date) < 0) exit
        wait = seconds(after) - seconds(date)
      }
      if (wait < 1) wait = 1
      if (wait > most) wait = most
      print wait
    }' "$1" 2> /dev/null)
  [ -n "$TURN" ] || return 1
  TURN=$((TURN + $(jitter $((TURN / 4)))))
}

# wait_turn: in the work; sleeps for TURN seconds. Meanwhile the watcher tells the server that it waits, which puts the
# attempt's deadline off.
wait_turn() {
  local left
  case $(phase_now) in
    wait) ;;
    # An installer's before its token is on the disk; the server has to know that, should the power go.
    files | partition) say "waits for its turn: the server is busy" ;;
    *)
      say "waits for its turn: the server is busy"
      cp "$WB_RUN/work/phase" "$WB_RUN/work/phase.before"
      printf 'wait %s\n' "$(awk '{ print $2 }' "$WB_RUN/work/phase")" > "$WB_RUN/work/phase" ;;
  esac
  left=$TURN
  while [ "$left" -gt 0 ]; do
    still_wanted
    sleep 1
    left=$((left - 1))
  done
}

# turn_came: what was done before the wait goes on.
turn_came() {
  if [ -e "$WB_RUN/work/phase.before" ]; then mv -f "$WB_RUN/work/phase.before" "$WB_RUN/work/phase"; fi
}
