# shellcheck shell=sh
# When the agent asks the server: at once when something changed, seldom when nothing does, and not all hosts together.

# ask: one look at the manifest, and how long to wait before the next one, in WAIT.
ask() {
  local former started result took
  former=${ETAG:-} started=$(uptime_seconds)
  manifest_fetch "$([ -n "$former" ] && echo "$LONG_POLL" || echo 0)"
  result=$? took=$(($(uptime_seconds) - started))
  if [ -n "$former" ]; then learn_patience "$result" "$took"; fi
  # For the person who asks when the server was heard last.
  case $result in 0 | 2 | 4) uptime_seconds > "$WB_RUN/heard" ;; esac
  case $result in
    0)
      AWAY=1
      cp "$WB_RUN/manifest.new" "$WB_RUN/manifest"
      LONG_POLL=$(lower "$M_POLL" "$HOLDS")
      # Without an ETag, or with one that is not honoured, there is no long poll to wait in.
      WAIT=0
      if [ -z "$ETAG" ] || [ "$ETAG" = "$former" ]; then WAIT=$((M_POLL + $(jitter $((M_POLL / 4))))); fi
      act ;;
    2)
      AWAY=1
      # A server that stops lets all go at once: each comes again when it would have come anyway.
      WAIT=$((LONG_POLL - took))
      if [ "$WAIT" -le 0 ]; then WAIT=$(jitter 1); fi
      LONG_POLL=$(lower "${M_POLL:-15}" "$HOLDS")
      # What could not be done at the last look is still wanted.
      act ;;
    4)
      note "the server answers $HTTP_STATUS to the request for the manifest"
      if told_to_wait "$WB_RUN/headers"; then WAIT=$TURN; else WAIT=$((15 + $(jitter 15))); fi ;;
    *)
      # A server that ends leaves all its hosts in the same moment: they come back over as long as they wait between two looks.
      AWAY=$(longer "$AWAY" 60)
      WAIT=$((AWAY + $(jitter "$(higher "$AWAY" "${M_POLL:-10}")"))) ;;
  esac
}

# learn_patience RESULT SECONDS: how long a question may be held, HOLDS, when something on the way cuts it before the server
# answers. What is cut after some seconds is asked for less; as long as nothing is cut it grows again.
learn_patience() {
  case $1 in
    2) HOLDS=$(lower $((HOLDS + 1)) 55) ;;
    1) if [ "$2" -ge 5 ]; then HOLDS=$(($2 * 3 / 4)); fi ;;
    4) case $HTTP_STATUS in 408 | 502 | 504) if [ "$2" -ge 5 ]; then HOLDS=$(($2 * 3 / 4)); fi ;; esac ;;
  esac
  LONG_POLL=$(lower "$LONG_POLL" "$HOLDS")
}

lower() {
  echo $(($1 < $2 ? $1 : $2))
}

higher() {
  echo $(($1 > $2 ? $1 : $2))
}

# announce_again: the server's database came back from a backup, and does not know what was said since. 1 when it is told already.
announce_again() {
  if [ -z "${M_ANNOUNCE:-}" ] || [ "$(cat "$WB_RUN/announced" 2> /dev/null)" = "$M_ANNOUNCE" ]; then return 1; fi
  say "the server was restored from a backup: telling it anew what runs here"
  ATTEMPT=$BOOT_ATTEMPT
  # shellcheck disable=SC2046 # one word a field
  report_keep booted slot="$SLOT" digest="$DIGEST" trial=false $(slot_fields "$DISK")
  printf '%s\n' "$M_ANNOUNCE" > "$WB_RUN/announced"
}
