# shellcheck shell=sh
# Switch: into a staged slot for a trial, past the firmware when kexec can.

switch() {
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
  before_switch
  case $? in
    0) ;;
    75) say "switch postponed by a pre-switch hook"; sleep "$M_POLL"; ETAG=''; return ;;
    *) refuse pre-switch; return ;;
  esac
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
  note_trial prepared
  # The server had better know, but its absence holds nothing up: the new system reports too.
  # shellcheck disable=SC2046 # one word a field
  report switching slot="$M_SLOT" digest="$M_IMAGE_DIGEST" $(slot_fields "$DISK")
  if [ $? -eq 2 ] && { WORK_ORDER=$M_ATTEMPT/$M_ACTION; is_superseded; }; then
    say "attempt $ATTEMPT is no longer wanted"
    forget_trial
    ETAG=''
    return
  fi
  if [ "$M_SWITCH" != reboot ] && load_slot "$M_SLOT" "$M_APPEND $M_TRIAL"; then
    leave kexec
  else
    if [ "$M_SWITCH" != reboot ]; then say "kexec refuses the kernel of slot $M_SLOT, going through the firmware"; fi
    leave reboot
  fi
}

switch_allowed() {
  local part
  REASON=''
  if [ -n "$IN_TRIAL" ]; then REASON='a trial is going on'
  elif [ "$M_SLOT" = "$SLOT" ]; then REASON="slot $M_SLOT is running"
  elif [ "$(slot_record "$M_SLOT" DIGEST)" != "$M_IMAGE_DIGEST" ]; then
    REASON="slot '$M_SLOT' is $(slot_state "$M_SLOT") and holds '$(slot_record "$M_SLOT" DIGEST)', not $M_IMAGE_DIGEST"
  elif [ -z "$M_TRIAL" ]; then REASON='the manifest has no arguments for a trial, so there would be no way back'
  elif ! part=$(partition_on "$DISK" "warmboot-$M_SLOT"); then REASON="this disk has no slot '$M_SLOT'"
  else root_fits "$part" || return 1
  fi
  [ -z "$REASON" ]
}

# Hooks that drain the machine: 0 go on, 75 not now, ask again; anything else: do not switch.
before_switch() {
  local hook result
  for hook in "$WB_ETC"/pre-switch.d/*; do
    if [ -f "$hook" ] && [ -x "$hook" ]; then
      WARMBOOT_SLOT=$M_SLOT WARMBOOT_DIGEST=$M_IMAGE_DIGEST timeout -k 5 "$HOOK_SECONDS" "$hook" >> "$WB_RUN/log" 2>&1
      result=$?
      if [ "$result" -ne 0 ]; then
        REASON="${hook##*/} ended with $result"
        return "$result"
      fi
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
      forget_trial
      refuse switch "grubenv cannot be written"
      return
    fi
  fi
  note_trial jumped
  if ! systemctl "$1" >> "$WB_RUN/log" 2>&1; then
    forget_trial
    refuse switch "systemctl $1 failed"
    return
  fi
  # systemd ends this process soon. Should it not, the machine still runs, and the server gets to know.
  sleep 300
  forget_trial
  refuse switch "systemd did not stop the system in 300 s"
}

# install: the operator ordered a new install of a system that runs. That is done from the network, so the machine goes
# through its firmware; once, for a firmware that boots the disk first would bring it back here again and again.
install() {
  ATTEMPT=$M_ATTEMPT
  if [ "$(cat "$STATE/netboot" 2> /dev/null)" = "$ATTEMPT" ]; then
    refuse netboot 'the machine did not netboot: its firmware boots the disk first'
    return
  fi
  keep_identity
  echo "$ATTEMPT" | put "$STATE/netboot"
  say "an install is ordered, attempt $ATTEMPT: restarting to boot from the network"
  kexec -u > /dev/null 2>&1
  systemctl reboot
  sleep 300
}
