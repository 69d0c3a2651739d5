# shellcheck shell=sh
# When the agent asks the server: at once when something changed, seldom when nothing does, and not all hosts together.

# look: one round of the agent. A host at rest does this all its life, beside production: but for curl it starts no process.
look() {
  # A trial is about nothing but being good. Any other system listens to the server while a health hook fails.
  if [ -z "$GOOD" ]; then
    if [ -n "$IN_TRIAL" ]; then network_comes; fi
    if try_to_confirm; then GOOD=yes ETAG=''; keep_identity
    elif [ -n "$IN_TRIAL" ]; then
      outbox_flush || :
      sleep "$(trial_pause)"
      return
    fi
  fi
  if [ -n "$GOOD" ]; then keep_hostname; fi
  outbox_flush || note "reports wait for the server"
  # Only what happens is written to it; and what the hooks say, while they fail.
  LOOKS=$(((LOOKS + 1) % 64))
  if [ "$LOOKS" -eq 0 ] || [ -z "$GOOD" ]; then trim_log; fi
  ask
  if [ "$WAIT" -gt 0 ]; then sleep "$WAIT"; fi
}

# ask: one look at the manifest, and how long to wait before the next one, in WAIT.
ask() {
  local former started result took
  former=${ETAG:-}
  read_uptime
  started=$UPTIME
  if [ -n "$former" ]; then manifest_fetch "$LONG_POLL"; else manifest_fetch 0; fi
  result=$?
  read_uptime
  took=$((UPTIME - started))
  if [ -n "$former" ]; then learn_patience "$result" "$took"; fi
  # For the person who asks when the server was heard last.
  case $result in 0 | 2 | 4) echo "$UPTIME" > "$WB_RUN/heard" ;; esac
  case $result in
    0)
      AWAY=1
      cp "$WB_RUN/manifest.new" "$WB_RUN/manifest"
      hold_for "$M_POLL"
      # Without an ETag, or with one that is not honoured, there is no long poll to wait in.
      WAIT=0
      if [ -z "$ETAG" ] || [ "$ETAG" = "$former" ]; then WAIT=$((M_POLL + $(jitter $((M_POLL / 4))))); fi
      act ;;
    2)
      AWAY=1
      # A server that stops lets all go at once: each comes again when it would have come anyway.
      WAIT=$((LONG_POLL - took))
      if [ "$WAIT" -le 0 ]; then chance 1; WAIT=$CHANCE; fi
      hold_for "${M_POLL:-15}"
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

# prove: the server wants to know of this attempt that its image, which runs here, is good.
prove() {
  if [ -z "$GOOD" ] || [ -z "$M_ATTEMPT" ] || [ "$M_SLOT" != "$SLOT" ] || [ "$M_IMAGE_DIGEST" != "$DIGEST" ] || [ "$CONFIRMED" = "$M_ATTEMPT" ]; then
    return
  fi
  CONFIRMED=$M_ATTEMPT ATTEMPT=$M_ATTEMPT
  true > "$WB_RUN/confirmed"
  report_confirmed
}

# act: what the manifest in force asks for, as far as it is new.
act() {
  # What it hears may change what it wants: the next look tells.
  if announce_again; then return; fi
  # A hook may have put off a departure that is not wanted any more.
  case $M_ACTION in switch | install) ;; *) stays_here ;; esac
  case $M_ACTION in
    none) prove ;;
    stage | switch | install)
      if [ "$REFUSED" = "$M_ATTEMPT/$M_ACTION" ]; then return; fi
      # Whatever is still to be told may change what the server wants. From a host whose token it does not know it takes no word,
      # and shows it nothing but the install that brings another.
      outbox_flush || [ "$HTTP_STATUS/$M_ACTION" = 401/install ] || return
      "$M_ACTION" ;;
    hold)
      if [ "${HELD:-}" != "$M_REASON" ]; then say "hold: $M_REASON"; fi
      HELD=$M_REASON ;;
  esac
}

# learn_patience RESULT SECONDS: how long a question may be held, HOLDS, when something on the way cuts it before the server
# answers. What is cut after some seconds is asked for less; as long as nothing is cut it grows again. A server that cannot be reached cuts nothing,
# however long it takes to find out: or all hosts would ask every few seconds when it is back.
learn_patience() {
  case $1 in
    2) if [ "$HOLDS" -lt 55 ]; then HOLDS=$((HOLDS + 1)); fi ;;
    1) if [ -n "${ASKED:-}" ] && [ "$2" -ge 5 ]; then HOLDS=$(($2 * 3 / 4)); fi ;;
    4) case $HTTP_STATUS in 408 | 502 | 504) if [ "$2" -ge 5 ]; then HOLDS=$(($2 * 3 / 4)); fi ;; esac ;;
  esac
  hold_for "$LONG_POLL"
}

# hold_for SECONDS: how long the next question may be held.
hold_for() {
  LONG_POLL=$(($1 < HOLDS ? $1 : HOLDS))
}

higher() {
  echo $(($1 > $2 ? $1 : $2))
}

# announce_again: the server's database came back from a backup, and does not know what was said since. 1 when it is told already.
announce_again() {
  local told
  if [ -z "${M_ANNOUNCE:-}" ]; then return 1; fi
  told=''
  { read -r told < "$WB_RUN/announced"; } 2> /dev/null || :
  if [ "$told" = "$M_ANNOUNCE" ]; then return 1; fi
  say "the server was restored from a backup: telling it anew what runs here"
  report_booted
  printf '%s\n' "$M_ANNOUNCE" > "$WB_RUN/announced"
}
