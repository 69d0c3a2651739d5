# shellcheck shell=sh
# The first minutes of a system: healthy or not, and what follows from it. Confirming is local: a server that is away
# rolls nothing back. trial-guard ends a trial that is never confirmed.

# settle_trial: at the agent's start, what state/trial means by the facts of this boot. IN_TRIAL is set while this
# system still has to prove itself.
settle_trial() {
  local slot digest step from default
  IN_TRIAL='' slot='' digest='' step='' from=''
  default=$(grubenv_get default)
  if [ -f "$STATE/trial" ]; then read -r ATTEMPT slot digest step from < "$STATE/trial" || :; fi
  # The agent itself was started again before the jump: nothing has happened yet.
  if [ "$from" = "$(boot_id)" ]; then slot=''; fi
  if [ "$slot" = "$SLOT" ] && [ "$digest" = "$DIGEST" ] && [ "$default" = "$SLOT" ]; then
    # The default was moved, then the power went before it could be told.
    : > "$WB_RUN/confirmed"
    report_confirmed
  elif [ -n "$TRIAL" ] && [ "$default" != "$SLOT" ]; then
    IN_TRIAL=yes
    return
  elif [ "$slot" = "$SLOT" ] && [ "$default" != "$SLOT" ]; then
    # Started without the arguments that lead back from a trial: by hand, or by a boot loader that is not ours.
    say "slot $SLOT runs without its trial, back to slot $default"
    kexec -u > /dev/null 2>&1
    systemctl reboot
    exit 0
  elif [ -n "$slot" ]; then
    if [ "$step" = prepared ]; then report_rolled_back "slot $slot ($digest) was never started"
    else report_rolled_back "slot $slot ($digest) did not confirm; the machine came back through its firmware"
    fi
  elif [ "$default" != "$SLOT" ] && [ "$(grubenv_get "tries_$default")" = 0 ]; then
    # GRUB gave the default up and came here. Told once, for reset_tries moves the default.
    ATTEMPT=''
    report_rolled_back "slot $default did not come up in its tries, so the boot loader took slot $SLOT"
  fi
  rm -f "$STATE/trial"
}

report_rolled_back() {
  say "rolled-back to slot $SLOT: $1"
  # shellcheck disable=SC2046 # one word a field
  report_keep rolled-back slot="$SLOT" digest="$DIGEST" reason="$1" $(slot_fields "$DISK")
}

# forget_trial: what an earlier attempt left behind must not act in a later one.
forget_trial() {
  rm -f "$STATE/trial"
  if [ -n "$(grubenv_get next)" ]; then
    boot_writable && grubenv_set next= && boot_readonly
  fi
}

# try_to_confirm: 0 once this system is known to be good. Called again and again until then.
try_to_confirm() {
  if ! healthy; then
    if [ "$REASON" != "${UNHEALTHY:-}" ]; then say "not healthy yet: $REASON"; fi
    UNHEALTHY=$REASON
    return 1
  fi
  if [ -n "$IN_TRIAL" ]; then
    somebody_answers || return 1
    confirm
  else
    reset_tries
  fi
}

healthy() {
  local hook
  data_healthy "$DISK" || return 1
  for hook in "$WB_ETC"/health.d/*; do
    # Killed where it does not listen: an agent that waits for a hook for ever hears nothing of its server.
    if [ -f "$hook" ] && [ -x "$hook" ] && ! timeout -k 5 "$HOOK_SECONDS" "$hook" >> "$WB_RUN/log" 2>&1; then
      REASON="${hook##*/} failed"
      return 1
    fi
  done
}

confirm() {
  if ! { boot_writable && grubenv_set "default=$SLOT" "tries_$SLOT=3" next= && boot_readonly; }; then
    say "the boot default cannot be moved to slot $SLOT"
    return 1
  fi
  : > "$WB_RUN/confirmed"
  IN_TRIAL=''
  read -r ATTEMPT _ < "$STATE/trial" || ATTEMPT=$BOOT_ATTEMPT
  CONFIRMED=$ATTEMPT
  report_confirmed
  rm -f "$STATE/trial"
}

report_confirmed() {
  say "confirmed slot $SLOT $DIGEST, attempt $ATTEMPT"
  # shellcheck disable=SC2046 # one word a field
  report_keep confirmed slot="$SLOT" digest="$DIGEST" $(slot_fields "$DISK")
}

# GRUB counted this boot; it was a good one. Where GRUB gave the default up and came here, here is the default now.
reset_tries() {
  local default
  default=$(grubenv_get default)
  set --
  if [ "$(grubenv_get "tries_$SLOT")" != 3 ]; then set -- "tries_$SLOT=3"; fi
  if [ "$default" != "$SLOT" ] && [ "$(grubenv_get "tries_$default")" = 0 ]; then set -- "$@" "default=$SLOT"; fi
  if [ $# -gt 0 ]; then boot_writable && grubenv_set "$@" && boot_readonly; fi
}

# Either the server or the gateway: one of them may be down without this system being to blame.
somebody_answers() {
  manifest_fetch 0
  if [ $? -ne 1 ]; then return 0; fi
  gateway_answers
}

# An address that was resolved in this boot was answered for in this boot, so no ping program is needed.
gateway_answers() {
  local gateway
  gateway=$(ip -4 route show default 2> /dev/null | awk '{ for (i = 1; i < NF; i++) if ($i == "via") { print $(i + 1); exit } }')
  if [ -z "$gateway" ]; then return 1; fi
  curl -q -s --connect-timeout 2 --max-time 3 "http://$gateway:9/" > /dev/null 2>&1
  awk -v ip="$gateway" '$1 == ip && $3 == "0x2" { found = 1 } END { exit !found }' "$WB_PROC/net/arp"
}

# stand_alone: with no server to ask, what is left to do is to tell the boot loader that this boot was a good one.
stand_alone() {
  say "booted slot $SLOT ${DIGEST:-(no digest)}, without a server: this disk was composed, not installed"
  IN_TRIAL=''
  if [ "$(slot_state "$SLOT")" = valid ]; then
    boot_writable && slot_mark_modified "$SLOT"
    boot_readonly
  fi
  until try_to_confirm; do sleep 3; done
  keep_identity
  : > "$WB_RUN/confirmed"
}
