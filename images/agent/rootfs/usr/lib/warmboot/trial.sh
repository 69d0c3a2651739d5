# shellcheck shell=sh
# The first minutes of a system: healthy or not, and what follows from it. Confirming is local: a server that is away
# rolls nothing back. trial-guard ends a trial that is never confirmed.

# settle_trial: at the agent's start, what state/trial means by the facts of this boot. IN_TRIAL is set while this
# system still has to prove itself.
settle_trial() {
  local slot digest step from why default
  IN_TRIAL='' slot='' digest='' step='' from='' why=''
  default=$(grubenv_get default)
  if [ -f "$STATE/trial" ]; then read -r ATTEMPT slot digest step from why < "$STATE/trial" || :; fi
  # The agent itself was started again before the jump: nothing has happened yet, and nothing of it may happen later.
  if [ -n "$slot" ] && [ "$from" = "$(boot_id)" ]; then
    slot=''
    kexec -u > /dev/null 2>&1
    rm -f "$WB_RUN/watchdog"
    give_tries
  fi
  if [ "$slot" = "$SLOT" ] && [ "$digest" = "$DIGEST" ] && [ "$default" = "$SLOT" ]; then
    # The default was moved, then the power went before it could be told.
    true > "$WB_RUN/confirmed"
    report_confirmed
  # A system that was confirmed in this boot stays so, whatever became of grubenv since.
  elif [ -n "$TRIAL" ] && [ "$default" != "$SLOT" ] && [ ! -e "$WB_RUN/confirmed" ]; then
    IN_TRIAL=yes
    note_why 'it said nothing more'
    return
  elif [ "$slot" = "$SLOT" ] && [ -z "${INSTEAD_OF:-}" ] && way_back "$default"; then
    # Started without the arguments that lead back from a trial: by hand, or by a boot loader that is not ours.
    say "slot $SLOT runs without its trial, back to slot $WAY_BACK"
    kexec -u > /dev/null 2>&1
    systemctl reboot
    exit 0
  elif [ -n "$slot" ] && [ "$slot" != "$SLOT" ]; then
    case $step in
      prepared)
        give_tries
        if may_jump_again "$from"; then report_still_staged "$slot" "$digest"
        else report_rolled_back "slot $slot ($digest) was never started: the machine was restarted twice as it was about to jump"
        fi ;;
      running) remember_failed "$digest" "$ATTEMPT" "$why"
        report_rolled_back "slot $slot ($digest) started and did not confirm: $why; $(how_it_came_back)" ;;
      *) remember_failed "$digest" "$ATTEMPT" 'it said nothing of itself'
        report_rolled_back "slot $slot ($digest) did not confirm and said nothing of itself; $(how_it_came_back)" ;;
    esac
  elif left_by_hand; then
    :
  elif [ -n "${INSTEAD_OF:-}" ] && [ "$default" = "$INSTEAD_OF" ]; then
    ATTEMPT=''
    report_rolled_back "the boot loader could not load slot $default, so it took slot $SLOT"
  elif [ "$default" != "$SLOT" ] && [ "$(grubenv_get "tries_$default")" = 0 ]; then
    # GRUB gave the default up and came here. Told once, for reset_tries moves the default.
    ATTEMPT=''
    report_rolled_back "slot $default did not come up in its tries, so the boot loader took slot $SLOT"
  fi
  forget_trial
}

# may_jump_again BOOT: the machine was restarted before the jump that was made ready in that boot. That says nothing of the image, so the
# jump is made ready anew; once an attempt, for a machine that dies of making it ready would do so for ever.
may_jump_again() {
  local attempt boot
  attempt='' boot=''
  { read -r attempt boot < "$STATE/interrupted"; } 2> /dev/null || :
  if [ "$attempt" = "$ATTEMPT" ]; then [ "$boot" = "$1" ]; return; fi
  echo "$ATTEMPT $1" | put "$STATE/interrupted"
}

# report_still_staged SLOT DIGEST: so the server orders the switch again; where the slot is not valid after all, what it says of the
# slots makes that a stage.
report_still_staged() {
  say "the machine was restarted before it had jumped to slot $1 ($2)"
  # shellcheck disable=SC2046 # one word a field
  report_keep staged slot="$1" digest="$2" $(slot_fields "$DISK")
}

# way_back DEFAULT: WAY_BACK is the slot that this machine comes up with next, another than this one; 1 when there is none. Where
# grubenv was lost GRUB would start this slot again and again, so the default is named anew.
way_back() {
  local slot
  WAY_BACK=''
  if [ -f "$BOOT/warmboot/$1/valid" ]; then
    if [ "$1" != "$SLOT" ] && [ "$(grubenv_get "tries_$1")" != 0 ]; then WAY_BACK=$1; fi
  else
    for slot in $(slots_on "$DISK"); do
      if [ "$slot" != "$SLOT" ] && [ "$(slot_state "$slot")" = modified ]; then
        boot_writable && grubenv_set "default=$slot" "tries_$slot=3" next= && WAY_BACK=$slot
        boot_readonly
        break
      fi
    done
  fi
  [ -n "$WAY_BACK" ]
}

# note_why WORDS: what keeps this trial from being confirmed, for the system that the machine comes back to.
note_why() {
  local attempt slot digest step from why
  [ -f "$STATE/trial" ] || return 0
  attempt='' slot='' digest='' step='' from='' why=''
  read -r attempt slot digest step from why < "$STATE/trial" || :
  if [ "$slot" != "$SLOT" ] || [ "$step $why" = "running $1" ]; then return 0; fi
  echo "$attempt $slot $digest running $from $1" | put "$STATE/trial"
}

how_it_came_back() {
  local module
  if module=$(watchdog_that_reset); then echo "the hardware watchdog ($module) reset the machine"
  else echo "the machine came back through its firmware"
  fi
}

# left_by_hand: somebody ordered this machine back at its own console (`warmboot-agent rollback`).
left_by_hand() {
  local from digest to boot why
  from='' digest='' to='' boot='' why=''
  { read -r from digest to boot why < "$STATE/rollback"; } 2> /dev/null || return 1
  if [ "$boot" = "$(boot_id)" ]; then return 1; fi
  if [ "$to" = "$SLOT" ]; then
    ATTEMPT=''
    report_rolled_back "slot $from ($digest) was left by hand: $why"
  fi
  rm -f "$STATE/rollback"
  [ "$to" = "$SLOT" ]
}

# remember_failed DIGEST ATTEMPTS WHY: this image is not tried again on this host for one of these attempts, whatever is ordered. An
# attempt that is newer is an operator's word.
remember_failed() {
  printf '%s\n' "$1" "$2" "$3" | put "$STATE/refused"
}

# is_refused: the manifest asks for what failed here, and for the same attempt.
is_refused() {
  local digest attempts
  digest='' attempts=''
  { read -r digest && read -r attempts; } 2> /dev/null < "$STATE/refused" || return 1
  [ "$digest" = "$M_IMAGE_DIGEST" ] || return 1
  case " $attempts " in *" $M_ATTEMPT "*) return 0 ;; *) return 1 ;; esac
}

# refusal_of DIGEST: in words.
refusal_of() {
  echo "$1 is not tried again on this host until it is ordered anew: $(sed -n 3p "$STATE/refused")"
}

report_rolled_back() {
  say "rolled-back to slot $SLOT: $1"
  # shellcheck disable=SC2046 # one word a field
  report_keep rolled-back slot="$SLOT" digest="$DIGEST" reason="$1" $(slot_fields "$DISK")
}

# give_tries: the trial did not begin. A slot that had proved itself before is what GRUB may fall back to, as it was.
give_tries() {
  local slot tries
  slot='' tries=''
  { read -r slot tries < "$STATE/tries"; } 2> /dev/null || :
  case $tries in
    [1-3]) if [ "$(grubenv_get "tries_$slot")" = 0 ]; then boot_writable && grubenv_set "tries_$slot=$tries"; fi ;;
  esac
  boot_readonly
}

# forget_trial: what an earlier attempt left behind must not act in a later one.
forget_trial() {
  rm -f "$STATE/trial" "$STATE/tries"
  if [ -n "$(grubenv_get next)" ]; then
    boot_writable && grubenv_set next=
    set -- $?
    boot_readonly
    return "$1"
  fi
}

# network_comes: a system that has just started gets its network in a moment, and what asks before finds nobody. Waited for without a
# process, and not for long: a host may have none, and that is for others to say.
network_comes() {
  local left
  left=${NETWORK_LOOKS:-40} NETWORK_LOOKS=0
  while [ "$left" -gt 0 ] && ! has_route; do
    sleep 0.25
    left=$((left - 1))
  done
}

# has_route: to anywhere, by IPv4, or to everywhere by IPv6: its link-local ones are there from the beginning.
has_route() {
  local to length port
  {
    while read -r port _; do
      case $port in Iface | lo) ;; *) return 0 ;; esac
    done < "$WB_PROC/net/route"
    while read -r to length _ _ _ _ _ _ _ port; do
      case $to$length/$port in */lo) ;; *[!0]*/*) ;; *) return 0 ;; esac
    done < "$WB_PROC/net/ipv6_route"
  } 2> /dev/null
  return 1
}

# trial_pause: seconds until the next try. What a system lacks it mostly gets in its first minute.
trial_pause() {
  read_uptime
  if [ "$UPTIME" -lt "${TRIAL_HASTE:-120}" ]; then echo 1; else echo 3; fi
}

# try_to_confirm: 0 once this system is known to be good. Called again and again until then.
try_to_confirm() {
  local former
  former=$(grubenv_get default)
  if ! healthy; then
    if [ "$REASON" != "${UNHEALTHY:-}" ]; then say "not healthy yet: $REASON"; fi
    UNHEALTHY=$REASON
    note_why "$REASON"
    return 1
  fi
  UNHEALTHY=''
  if [ -n "$IN_TRIAL" ]; then
    if ! somebody_answers; then
      note_why 'neither the server nor the gateway answered'
      return 1
    fi
    confirm
  else
    reset_tries
  fi
}

healthy() {
  local hook
  # It may have another network than its own, and keys that nobody knows. Where there is no way back it goes on as it is.
  if [ -n "${IN_TRIAL:-}" ] && [ -e "$WB_RUN/early-cut" ]; then
    REASON='identity and files of this host were not put in place in time'
    return 1
  fi
  if [ -n "${IN_TRIAL:-}" ] && [ -e "$WB_RUN/early-failed" ]; then
    REASON="the files of this host are not all in place: $(cat "$WB_RUN/early-failed")"
    return 1
  fi
  data_healthy "$DISK" || return 1
  for hook in "$WB_ETC"/health.d/*; do
    if is_hook "$hook" && ! bounded "$hook"; then
      REASON="the health hook ${hook##*/} $ENDED"
      return 1
    fi
  done
}

# is_hook FILE: a README is none, nor is the pattern of an empty folder.
is_hook() {
  [ -f "$1" ] && [ -x "$1" ]
}

# bounded HOOK: 0 when it says yes in its time; else ENDED says how it ended. Killed where it does not listen: an agent that waits for a
# hook for ever hears nothing of its server.
bounded() {
  local result
  timeout -k 5 "$HOOK_SECONDS" "$1" >> "$WB_RUN/log" 2>&1
  result=$?
  # It may be tried every few seconds for as long as a trial lasts.
  trim_log
  case $result in
    124 | 137) ENDED="did not end within $HOOK_SECONDS s" ;;
    *) ENDED="ended with $result" ;;
  esac
  return "$result"
}

confirm() {
  if ! { boot_writable && grubenv_set "default=$SLOT" "tries_$SLOT=3" next= && boot_readonly; }; then
    say "the boot default cannot be moved to slot $SLOT"
    note_why 'the boot default could not be moved here: the boot partition cannot be written'
    return 1
  fi
  true > "$WB_RUN/confirmed"
  IN_TRIAL=''
  # Where `warmboot-agent rollback` leads.
  if [ "$former" != "$SLOT" ]; then echo "$former" | put "$STATE/former"; fi
  read -r ATTEMPT _ < "$STATE/trial" || ATTEMPT=$BOOT_ATTEMPT
  CONFIRMED=$ATTEMPT
  report_confirmed
  rm -f "$STATE/trial" "$STATE/tries"
  # It failed once, was ordered anew, and is good now.
  if [ "$(sed -n 1p "$STATE/refused" 2> /dev/null)" = "$DIGEST" ]; then rm -f "$STATE/refused"; fi
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
  # Also where the default is lost, or names a slot that cannot be started.
  if [ "$default" != "$SLOT" ] && { [ "$(grubenv_get "tries_$default")" = 0 ] || [ "$default" = "${INSTEAD_OF:-none}" ] || [ ! -f "$BOOT/warmboot/$default/valid" ]; }; then
    set -- "$@" "default=$SLOT"
  fi
  if [ $# -eq 0 ]; then return 0; fi
  boot_writable && grubenv_set "$@" && boot_readonly || return
  # Without this word the server would spare the former default's slot, and would have none to write to.
  case " $* " in *' default='*) if [ -n "$SERVER" ]; then report_booted || :; fi ;; esac
}

# report_booted: what runs here, once more: what is known of it has changed, or was forgotten.
report_booted() {
  ATTEMPT=$BOOT_ATTEMPT
  # shellcheck disable=SC2046 # one word a field
  report_keep booted slot="$SLOT" digest="$DIGEST" trial=false $(slot_fields "$DISK")
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
  true > "$WB_RUN/confirmed"
}
