# shellcheck shell=sh
# `warmboot-agent status`: for a person at the host's console. Reads only, asks nobody, and needs no running agent.

status() {
  [ $# -eq 0 ] || die 'status takes no arguments'
  look_at_disk || die "the boot partition of $DISK cannot be read"
  DEFAULT=$(grubenv_get default)
  status_host
  status_disk
  status_slots
  row power-on "$(power_on_words)"
  row next "$(next_words)"
  status_watchdogs
  status_waiting
}

row() {
  printf '%-9s %s\n' "$1" "$2"
}

# look_at_disk: where the agent is not there to have them mounted, for this moment and read-only.
look_at_disk() {
  local part
  AGENT_RUNS=yes
  if ! is_mounted "$BOOT"; then
    AGENT_RUNS='' BOOT=$WB_RUN/look-boot
    trap 'umount "$BOOT" "$STATE" 2> /dev/null' EXIT
    # dash runs no trap of the exit when a signal ends it, and what stays mounted is in the agent's way.
    trap 'exit 1' HUP INT TERM
    mount_boot "$DISK" ro || return 1
  fi
  if ! is_mounted "$STATE"; then
    AGENT_RUNS='' STATE=$WB_RUN/look-state OUTBOX=$WB_RUN/look-state/outbox
    mkdir -p "$STATE" && part=$(partition_on "$DISK" warmboot-state) \
      && mount -t ext4 -o ro,noload,nodev,nosuid,noexec "$(device "$part")" "$STATE"
  fi
  return 0
}

status_host() {
  local heard
  if [ ! -e "$STATE/host" ] && [ ! -e "$STATE/server.url" ]; then
    row host 'belongs to no server: its disk was composed, not installed'
  else
    heard=$(cat "$WB_RUN/heard" 2> /dev/null)
    if [ -n "$heard" ]; then heard="which answered $(($(uptime_seconds) - heard)) s ago"
    else heard='which has not answered since this boot'
    fi
    row host "$(cat "$STATE/host") of $(cat "$STATE/server.url"), $heard"
  fi
  if [ -z "$AGENT_RUNS" ]; then row agent 'does not run, or could not open the disk: systemctl status warmboot-agent'; fi
}

# What was mounted here, to look, is read-only on any disk.
status_disk() {
  if [ -n "$STARTED_READ_ONLY" ] || { [ -n "$AGENT_RUNS" ] && is_read_only; }; then
    row disk "$DISK takes no writes any more: replace it, and reinstall this host"
  fi
}

status_slots() {
  local slot marks
  for slot in $(slots_on "$DISK"); do
    marks=''
    if [ "$slot" = "$SLOT" ]; then marks="$marks, running${TRIAL_LEFT:+ on trial}"; fi
    if [ "$slot" = "$DEFAULT" ]; then marks="$marks, boot default"; fi
    row "slot $slot" "$(printf '%-8s %s %s' "$(slot_state "$slot")" "$(slot_record "$slot" NAME)" "$(slot_record "$slot" DIGEST)")${marks:+ [${marks#, }]}"
  done
}

# power_on SLOTS: what GRUB starts when the machine comes through its firmware, by the rules of grub.cfg: "SLOT", "SLOT trial", or nothing.
power_on() {
  local slot first chosen next
  if has_moved; then return; fi
  first='' next=$(grubenv_get next) chosen=$(grubenv_get default)
  for slot in $1; do
    if [ -z "$first" ] && [ -f "$BOOT/warmboot/$slot/valid" ]; then first=$slot; fi
  done
  if [ -n "$next" ] && [ -f "$BOOT/warmboot/$next/valid" ]; then echo "$next trial"; return; fi
  if [ -z "$chosen" ] || [ ! -f "$BOOT/warmboot/$chosen/valid" ]; then chosen=$first; fi
  if [ -n "$chosen" ] && [ "$(grubenv_get "tries_$chosen")" = 0 ]; then
    for slot in $1; do
      if [ "$slot" != "$chosen" ] && [ -f "$BOOT/warmboot/$slot/valid" ] && [ "$(grubenv_get "tries_$slot")" != 0 ]; then
        chosen=$slot
        break
      fi
    done
  fi
  echo "$chosen"
}

power_on_words() {
  local slot tries
  slot=$(power_on "$(slots_on "$DISK")")
  case $slot in
    '')
      if has_moved; then echo 'no slot of this disk: the host has moved to another'
      else echo 'no slot: none is valid, the machine will have to be installed anew'
      fi ;;
    *' trial') echo "slot ${slot% trial}, once, on trial" ;;
    *)
      tries=$(grubenv_get "tries_$slot")
      if [ "$slot" = "$DEFAULT" ]; then slot="slot $slot, the boot default"
      elif [ -z "$DEFAULT" ]; then slot="slot $slot, for grubenv names no default"
      elif [ -f "$BOOT/warmboot/$DEFAULT/valid" ]; then slot="slot $slot, for the boot default, slot $DEFAULT, did not come up in its tries"
      else slot="slot $slot, for the boot default, slot $DEFAULT, is $(slot_state "$DEFAULT")"
      fi
      echo "$slot${tries:+; it has $tries of 3 tries left}" ;;
  esac
}

# next_words: what this host does next, and why. What happens here goes before what the server said.
next_words() {
  local attempt slot digest step from why
  attempt='' slot='' digest='' step='' from='' why=''
  { read -r attempt slot digest step from why < "$STATE/trial"; } 2> /dev/null
  if [ -n "$TRIAL_LEFT" ]; then
    echo "back to slot $DEFAULT in $TRIAL_LEFT s, unless this trial${attempt:+ (attempt $attempt)} is confirmed before; it is not yet: ${why:-its agent has not said why}"
  elif [ -n "$slot" ] && [ "$from" = "$(boot_id)" ]; then
    echo "a jump to slot $slot on trial (attempt $attempt), which is under way"
  elif work_goes_on; then
    echo "slot $(work_slot) is being written: $(phase_now)$(progress_text)"
  elif [ ! -e "$STATE/host" ] && [ ! -e "$STATE/server.url" ]; then
    echo 'nothing: there is no server that could order anything'
  elif { manifest_parse "$WB_RUN/manifest"; } 2> /dev/null; then
    echo "$(action_words): $M_REASON${M_ATTEMPT:+ (attempt $M_ATTEMPT)}"
  else
    echo 'nothing until the server answers; a server that is away changes nothing here'
  fi
}

action_words() {
  case $M_ACTION in
    none) echo 'nothing' ;;
    hold) echo 'nothing, it is held' ;;
    stage) echo "$M_IMAGE_NAME is written to slot $M_SLOT" ;;
    switch) echo "a jump to slot $M_SLOT on trial" ;;
    install) echo 'a restart, to be installed anew from the network' ;;
    *) echo "$M_ACTION" ;;
  esac
}

# work_goes_on: an image is being written now.
work_goes_on() {
  [ -n "$AGENT_RUNS" ] && [ -e "$WB_RUN/work/phase" ] && [ ! -e "$WB_RUN/work/result" ] && [ ! -e "$WB_RUN/work/reason" ] \
    && kill -0 "$(cat "$WB_RUN/work/worker" 2> /dev/null)" 2> /dev/null
}

work_slot() {
  if { manifest_parse "$WB_RUN/manifest"; } 2> /dev/null; then echo "$M_SLOT"; fi
}

status_watchdogs() {
  local name module text any
  any=''
  for name in $(watchdogs); do
    any=yes
    module=$(watchdog_module "$name")
    text="$name (${module:-of an unknown driver}), $(watchdog_holder "$name")"
    if [ "$(watchdog_fact "$name" nowayout)" != 0 ]; then text="$text; left alone, for it cannot be stopped again, or nobody knows"
    elif [ -z "$module" ]; then text="$text; it cannot guard a jump, for nobody knows whether the next system has its driver"
    elif stays_armed; then text="$text; it may guard a jump"
    else text="$text; it cannot guard a jump, for this kernel stops it (older than 5.8, or started without watchdog.stop_on_reboot=0)"
    fi
    row watchdog "$text"
  done
  if [ -z "$any" ]; then
    row watchdog 'none that this kernel has a driver for: a kernel that hangs after a jump waits for somebody to cycle the power'
  fi
  if name=$(watchdog_that_reset); then row watchdog "$name made the last start of this machine"; fi
}

# watchdog_holder NAME: the program that feeds it. Only one can.
watchdog_holder() {
  local link to
  for link in "$WB_PROC"/[0-9]*/fd/*; do
    to=$(readlink "$link" 2> /dev/null) || continue
    if [ "$to" = "/dev/$1" ] || { [ "$1" = watchdog0 ] && [ "$to" = /dev/watchdog ]; }; then
      link=${link%/fd/*}
      echo "held by $(cat "$link/comm" 2> /dev/null) (${link##*/})"
      return
    fi
  done
  echo 'free'
}

status_waiting() {
  local count
  count=$(outbox_names | wc -l)
  if [ "$count" -gt 0 ]; then
    row reports "$count for the server, the first one: $(sed -n 's/^kind=//p' "$OUTBOX/$(outbox_names | head -n 1)" 2> /dev/null)"
  fi
  if [ -s "$STATE/refused" ]; then row refused "$(refusal_of "$(sed -n 1p "$STATE/refused")")"; fi
}
