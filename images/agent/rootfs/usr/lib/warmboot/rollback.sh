# shellcheck shell=sh
# `warmboot-agent rollback`: back to the system that ran before, by hand and with nobody's help. What was left is not tried again for the
# same order; the server hears of it from the agent of the other system, and then holds this host until an operator orders something.

rollback() {
  local to how why attempts refused
  to='' how=kexec why=''
  while [ $# -gt 0 ]; do
    case $1 in
      --to) [ $# -ge 2 ] || die '--to needs a slot'; to=$2; shift ;;
      --firmware) how=reboot ;;
      -*) die "'$1' is none of its options: --to SLOT, --firmware" ;;
      *) why="$why $1" ;;
    esac
    shift
  done
  # It becomes one line of a file, and a report.
  why=$(printf '%s' "${why# }" | tr -c 'A-Za-z0-9 _.,:;=/@+%()!?-' ' ' | head -c 200)
  open_for_rollback || die "the boot and the state partition of $DISK cannot be mounted"
  DIGEST=$(slot_record "$SLOT" DIGEST) || DIGEST=''
  to=$(rollback_target "$to") || die "$to"
  attempts=$(attempts_here)
  if { manifest_parse "$WB_RUN/manifest"; } 2> /dev/null && [ "$M_SWITCH" = reboot ]; then how=reboot; fi

  # From here on nobody else writes these partitions. An agent that hangs is killed by systemd; and whoever grows impatient over that, or
  # whose connection breaks, must not leave this host without one.
  trap '' HUP INT TERM
  systemctl stop warmboot-agent.service > /dev/null 2>&1 || :
  why="ordered by hand on the host${why:+: $why}"
  refused=$(cat "$STATE/refused" 2> /dev/null) || refused=''
  note_rollback "$to" "$attempts" "$why" || stay_here "$refused" 'the state partition cannot be written, nothing was changed'
  if ! { boot_writable && grubenv_set "default=$to" "tries_$to=3" next=; }; then
    stay_here "$refused" 'grubenv cannot be written, the boot default is as it was'
  fi
  boot_readonly
  say "rollback from slot $SLOT to slot $to, $why"
  go_back "$to" "$how"
}

# note_rollback TO ATTEMPTS WHY: what the system that comes up then has to know of this one, before anything leads there.
note_rollback() {
  if [ -n "$DIGEST" ]; then remember_failed "$DIGEST" "$2" "$3" || return; fi
  if [ -n "$TRIAL_LEFT" ] && [ -f "$STATE/trial" ]; then note_why "$3"
  else echo "$SLOT ${DIGEST:--} $1 $(boot_id) $3" | put "$STATE/rollback"
  fi
}

# stay_here REFUSED REASON: this system goes on, with what was refused before, and so does its agent.
stay_here() {
  {
    rm -f "$STATE/rollback"
    if [ -n "$1" ]; then printf '%s\n' "$1" | put "$STATE/refused"; else rm -f "$STATE/refused"; fi
  } 2> /dev/null
  shift
  boot_readonly
  systemctl --no-block start warmboot-agent.service > /dev/null 2>&1 || :
  die "$1"
}

go_back() {
  if [ "$2" = kexec ] && ! load_slot "$1" "$(slot_command_line "$1")"; then
    say "kexec refuses the kernel of slot $1, going through the firmware"
    set -- "$1" reboot
  fi
  if [ "$2" = reboot ]; then kexec -u > /dev/null 2>&1; fi
  trap - HUP INT TERM
  systemctl "$2" || die "systemctl $2 failed. The boot default is slot $1 already: restart this machine"
}

open_for_rollback() {
  if ! is_mounted "$BOOT"; then mount_boot "$DISK" ro || return 1; fi
  if ! is_mounted "$STATE"; then mount_state "$DISK" || return 1; fi
}

# rollback_target [SLOT]: the slot to go back to; 1 and the reason when there is none.
rollback_target() {
  local slot former
  if [ -n "$(jump_under_way)" ]; then echo "a jump to slot $(jump_under_way) is under way"; return 1; fi
  if [ -n "$1" ]; then
    can_start "$1"
    return
  fi
  if [ -n "$TRIAL_LEFT" ]; then
    can_start "$(grubenv_get default)"
    return
  fi
  # The one that was the default before this one, or the only one that there is.
  former=$(cat "$STATE/former" 2> /dev/null)
  if [ -n "$former" ] && leads_back "$former" && can_start "$former" > /dev/null; then
    echo "$former"
    return 0
  fi
  set --
  for slot in $(slots_on "$DISK"); do
    if [ "$slot" != "$SLOT" ] && leads_back "$slot"; then set -- "$@" "$slot"; fi
  done
  case $# in
    0) echo 'no other slot holds a system that has run on this host, unless it failed here: name one with --to, or order it at the server, which tries it first' ;;
    1) can_start "$1"; return ;;
    *) echo "slots $* could all be meant: name one with --to" ;;
  esac
  return 1
}

# leads_back SLOT: its system has run on this host, and its image is not refused here. What was staged meanwhile leads forward.
leads_back() {
  [ "$(slot_state "$1")" = modified ] && [ "$(slot_record "$1" DIGEST)" != "$(sed -n 1p "$STATE/refused" 2> /dev/null)" ]
}

# can_start SLOT: prints it; 1 and the reason when it cannot be started.
can_start() {
  case $1 in [a-h]) ;; *) echo "'$1' is no slot: a letter from a to h"; return 1 ;; esac
  if [ "$1" = "$SLOT" ]; then echo "slot $1 is the one that runs"; return 1; fi
  if [ ! -f "$BOOT/warmboot/$1/valid" ]; then echo "slot $1 is $(slot_state "$1"): nothing can be started from it"; return 1; fi
  if ! { [ -s "$BOOT/warmboot/$1/vmlinuz" ] && [ -s "$BOOT/warmboot/$1/initrd.img" ] && [ -s "$BOOT/warmboot/$1/cmdline" ]; }; then
    echo "slot $1 lacks its kernel, initrd or command line"
    return 1
  fi
  echo "$1"
}

jump_under_way() {
  local attempt slot digest step from why
  slot='' from=''
  { read -r attempt slot digest step from why < "$STATE/trial"; } 2> /dev/null || return 0
  if [ "$from" = "$(boot_id)" ]; then echo "$slot"; fi
}

# attempts_here: all that this system was ordered by, as far as it knows.
attempts_here() {
  local attempt rest
  {
    slot_record "$SLOT" ATTEMPT
    cat "$WB_RUN/attempt" 2> /dev/null
    { read -r attempt rest < "$STATE/trial" && echo "$attempt"; } 2> /dev/null
    if { manifest_parse "$WB_RUN/manifest"; } 2> /dev/null; then echo "$M_ATTEMPT"; fi
  } | sort -u | tr '\n' ' '
}
