# shellcheck shell=sh
# Switch: into a staged slot for a trial, past the firmware when kexec can.

switch() {
  local word
  ATTEMPT=$M_ATTEMPT
  if ! switch_allowed; then refuse switch; return; fi
  if ! files_fetch; then
    case $HTTP_STATUS in
      # A set that is gone was changed since, and the next manifest names another.
      000 | 404 | 5* | 429) say "switch postponed, the host's files are not to be had: $REASON"; sleep "$M_POLL"; ETAG='' ;;
      *) refuse files "the host's files are not to be had: $REASON" ;;
    esac
    return
  fi
  drained switch || return
  say "switching to slot $M_SLOT $M_IMAGE_DIGEST, attempt $ATTEMPT, by $M_SWITCH"
  forget_trial
  if ! { boot_writable && slot_change_command_line "$M_SLOT" "$M_APPEND" "$M_TRIAL"; }; then
    boot_readonly
    refuse switch "the boot partition cannot be written"
    return
  fi
  boot_readonly
  keep_identity
  if ! files_for "$M_SLOT"; then refuse files 'the state partition cannot be written'; return; fi
  keep_tries || { stay "the state partition cannot be written"; return; }
  keep_way_back || { refuse switch "grubenv cannot be written"; return; }
  # Without it nobody would know afterwards what became of the trial.
  note_trial prepared || { stay "the state partition cannot be written"; return; }
  # The server had better know, but its absence holds nothing up: the new system reports too.
  # shellcheck disable=SC2046 # one word a field
  report switching slot="$M_SLOT" digest="$M_IMAGE_DIGEST" $(slot_fields "$DISK")
  if [ $? -eq 2 ] && { WORK_ORDER=$M_ATTEMPT/$M_ACTION; is_superseded; }; then
    say "attempt $ATTEMPT is no longer wanted"
    give_tries
    forget_trial
    stays_here
    ETAG=''
    return
  fi
  word=''
  if [ "$M_SWITCH" != reboot ] && word=$(watchdog_for_jump "$M_SLOT"); then word=" warmboot.watchdog=$word"; fi
  if [ "$M_SWITCH" != reboot ] && load_slot "$M_SLOT" "$M_APPEND $M_TRIAL$word"; then
    leave kexec
  else
    if [ "$M_SWITCH" != reboot ]; then tell_refusal; fi
    leave reboot
  fi
}

# tell_refusal: of kexec, while the machine still can: the firmware may take long. The jump goes on, so it is no failure.
tell_refusal() {
  local why
  why="kexec refuses the kernel of slot $M_SLOT, going through the firmware"
  REASON="$why: $(tail -n 1 "$WB_RUN/log")"
  say "$why"
  log_tail "$WB_RUN/log.tail"
  report switching slot="$M_SLOT" digest="$M_IMAGE_DIGEST" phase=jump reason="$REASON" log@"$WB_RUN/log.tail"
}

switch_allowed() {
  local part
  REASON=''
  if [ -n "$IN_TRIAL" ]; then REASON='a trial is going on'
  elif [ "$M_SLOT" = "$SLOT" ]; then REASON="slot $M_SLOT is running"
  elif [ "$(slot_record "$M_SLOT" DIGEST)" != "$M_IMAGE_DIGEST" ]; then
    REASON="slot '$M_SLOT' is $(slot_state "$M_SLOT") and holds '$(slot_record "$M_SLOT" DIGEST)', not $M_IMAGE_DIGEST"
  elif is_refused; then REASON=$(refusal_of "$M_IMAGE_DIGEST")
  elif ! ends_by_itself "$M_TRIAL"; then REASON='the manifest has no arguments for a trial, so there would be no way back'
  elif [ ! -f "$BOOT/warmboot/$(grubenv_get default)/valid" ]; then
    REASON="the boot default is slot '$(grubenv_get default)', which is $(slot_state "$(grubenv_get default)"), so there would be no way back"
  elif ! part=$(partition_on "$DISK" "warmboot-$M_SLOT"); then REASON="this disk has no slot '$M_SLOT'"
  else root_fits "$part" || return 1
  fi
  [ -z "$REASON" ]
}

# keep_tries: how often GRUB would start the ordered slot by itself, for give_tries.
keep_tries() {
  echo "$M_SLOT $(grubenv_get "tries_$M_SLOT")" | put "$STATE/tries"
}

# keep_way_back: where the trial ends without a word, GRUB starts the default, and never the slot on trial: it has proved nothing, and from
# there it would start without its way back. So the default has all its tries, which a system with a failing health hook may have used
# up, and the other one none. A default that is the ordered slot, or that GRUB gave up, is replaced by the system that runs.
keep_way_back() {
  local back
  # A one-shot of an earlier trial was cleared just now, or nothing can be written there.
  [ -z "$(grubenv_get next)" ] || return 1
  back=$(grubenv_get default)
  if [ "$back" = "$M_SLOT" ] || [ "$(grubenv_get "tries_$back")" = 0 ]; then back=$SLOT; fi
  boot_writable && grubenv_set "default=$back" "tries_$back=3" "tries_$M_SLOT=0" && boot_readonly && return
  boot_readonly
  return 1
}

# ends_by_itself ARGUMENTS: trial-guard finds its seconds there.
ends_by_itself() {
  local word
  for word in $1; do
    case $word in
      warmboot.trial=*[!0-9]* | warmboot.trial=0* | warmboot.trial=) return 1 ;;
      warmboot.trial=*) return 0 ;;
    esac
  done
  return 1
}

# drained WHAT: its hooks let this machine go. 1: not now, or not at all, and that is said.
drained() {
  before_switch
  case $? in
    0) return 0 ;;
    75) say "$1 postponed by a pre-switch hook"; sleep "$M_POLL"; ETAG='' ;;
    *) refuse pre-switch ;;
  esac
  return 1
}

# Hooks that drain the machine: 0 go on, 75 not now, ask again; anything else: do not switch.
before_switch() {
  local hook result
  for hook in "$WB_ETC"/pre-switch.d/*; do
    if is_hook "$hook"; then
      true > "$WB_RUN/drained"
      WARMBOOT_SLOT=$M_SLOT WARMBOOT_DIGEST=$M_IMAGE_DIGEST timeout -k 5 "$HOOK_SECONDS" "$hook" >> "$WB_RUN/log" 2>&1
      result=$?
      if [ "$result" -ne 0 ]; then
        REASON="${hook##*/} ended with $result"
        return "$result"
      fi
    fi
  done
}

# stays_here: this machine was to leave, and does not: what drained it is undone, once.
stays_here() {
  local hook
  [ -e "$WB_RUN/drained" ] || return 0
  rm -f "$WB_RUN/drained"
  for hook in "$WB_ETC"/switch-cancelled.d/*; do
    if is_hook "$hook" && ! bounded "$hook"; then
      say "the hook ${hook##*/}, for a machine that stays, $ENDED"
    fi
  done
}

# note_trial prepared|jumped: what a later boot needs to know of this trial.
note_trial() {
  echo "$ATTEMPT $M_SLOT $M_IMAGE_DIGEST $1 $(boot_id)" | put "$STATE/trial"
}

# leave kexec|reboot: stops the system in order. A reboot after a kexec load would kexec too, hence -u.
leave() {
  if [ "$1" = reboot ]; then
    kexec -u > /dev/null 2>&1
    if ! { boot_writable && grubenv_set "next=$M_SLOT" && boot_readonly; }; then
      stay "grubenv cannot be written"
      return
    fi
  fi
  note_trial jumped || { stay "the state partition cannot be written"; return; }
  if ! systemctl "$1" >> "$WB_RUN/log" 2>&1; then
    stay "systemctl $1 failed"
    return
  fi
  wait_for_stop
  stay "systemd did not stop the system"
}

# wait_for_stop: systemd ends this process soon. Should it not, the machine still runs; but nothing is taken back while it is about to
# stop: logind first waits for those who asked it for time (systemd.inhibitor(7), "delay"; kubelet asks for minutes), and a unit may be slow.
wait_for_stop() {
  local left
  left=5
  sleep 300
  while [ "$left" -gt 0 ] && is_stopping; do
    sleep 300
    left=$((left - 1))
  done
}

is_stopping() {
  [ "$(systemctl is-system-running 2> /dev/null)" = stopping ] \
    || [ "$(busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager PreparingForShutdown 2> /dev/null)" = 'b true' ]
}

# stay REASON: there is no jump after all, and nothing that was made ready for it may act at a later restart.
stay() {
  kexec -u > /dev/null 2>&1
  rm -f "$WB_RUN/watchdog"
  give_tries
  forget_trial
  refuse switch "$1"
}

# Each costs production a firmware's POST. The second is for a server that was away at the first.
MOST_NETBOOTS=2

# install: the operator ordered a new install of a system that runs. That is done from the network, so the machine goes through its
# firmware; a few times at most, for a firmware that boots the disk first would bring it back here again and again.
install() {
  local attempt times
  ATTEMPT=$M_ATTEMPT attempt='' times=''
  { read -r attempt times < "$STATE/netboot"; } 2> /dev/null || :
  # An agent of before did not count.
  if [ "$attempt" = "$ATTEMPT" ]; then times=${times:-1}; else times=0; fi
  if [ "$times" -ge "$MOST_NETBOOTS" ]; then
    refuse netboot "the machine came back from its disk, $times times: its firmware boots the disk first, or the server was not to be had"
    return
  fi
  drained install || return
  keep_identity
  # Without a count it would restart for ever.
  if ! echo "$ATTEMPT $((times + 1))" | put "$STATE/netboot"; then
    refuse netboot 'the state partition cannot be written'
    return
  fi
  say "an install is ordered, attempt $ATTEMPT: restarting to boot from the network"
  kexec -u > /dev/null 2>&1
  systemctl reboot
  wait_for_stop
}
