# shellcheck shell=sh
# The system that is on the disk already, without the server's help.

# know_own_disk: OWN_DISK is the Warmboot disk of this machine, if there is one, and OWN_HOST the host that it was installed as; its
# token and the highest serial seen are taken over, so that a known host is recognised and an old manifest refused. Of several that
# one is meant which names a card of this machine; where none does the card may be gone, or the disk came from another machine. Of two such
# the one that was installed last: an order has moved the host, and whatever its old disk has is out of date. Where this machine is two
# hosts to the server, by two cards, that of the one which the server's word is for, or else of the card with which it asks.
know_own_disk() {
  wait_for_disks 8
  OWN_DISK='' OWN_HOST=''
  find_own_disk
}

find_own_disk() {
  own_disk_by is_self || { [ -z "$OWN_DISK" ] && own_disk_by true; }
}

# own_disk_by COMMAND: takes the first disk whose host is good for it, or a better one. Behind USB too: an order may have named such a disk
# once. And one that takes no writes any more, to be started from.
own_disk_by() {
  local name owner found installed
  found='' installed=0
  for name in $({ candidates; all_disks; readable_disks; } | awk '!seen[$0]++'); do
    # A disk that does not answer must not hold up one that is found.
    if [ -n "$found" ] && ! may_be_ours "$name"; then continue; fi
    if is_warmboot_disk "$name" && look_at_state "$name"; then
      owner=$(cat "$STATE/host" 2> /dev/null)
      if [ -n "$owner" ] && "$1" "$owner" && { [ -z "$found" ] || is_better; }; then
        take_over
        found=yes OWN_DISK=$name installed=$(installed_at)
      fi
      unmount_disk
    fi
  done
  [ -n "$found" ]
}

# is_better: the disk that own_disk_by looks at, than the one it found before.
is_better() {
  if [ "$owner" = "$OWN_HOST" ]; then [ "$(installed_at)" -gt "$installed" ]; else [ "$owner" = "${M_HOST:-${HOST:-}}" ]; fi
}

# installed_at: the serial of the order that the disk was installed by. The highest serial seen would not do: whichever system runs sees
# what is ordered since.
installed_at() {
  local serial
  serial=$(cat "$STATE/installed" 2> /dev/null)
  case $serial in '' | *[!0-9]*) serial=0 ;; esac
  echo "$serial"
}

# look_at_state DISK: its state partition. What a power cut left in its journal is replayed, but not on a disk of another machine: that
# one may be using it this moment, where both see the same storage.
look_at_state() {
  local owner
  if read_state "$1" 2> /dev/null; then
    owner=$(cat "$STATE/host" 2> /dev/null)
    if [ -n "$owner" ] && ! is_port "$owner"; then return 0; fi
    unmount_disk
  fi
  mount_state "$1" || read_state "$1"
}

# is_anothers DISK: it names a host that is neither this machine nor the one that the server takes it for.
is_anothers() {
  read_owner "$1" && [ -n "$OWNER" ] && ! is_self "$OWNER"
}

# So long after the installer's start its own disk may still be on its way: a controller can take half a minute to find its disks.
OWN_DISK_SECONDS=30

# own_disk_came: this host's own disk is there, and was not until now. An order that would take another disk in its place waits for
# what is still on its way.
own_disk_came() {
  local awaited said before
  if knows_itself && [ "$OWN_HOST" = "$M_HOST" ] && ! has_moved_on; then return 1; fi
  said='' before=$OWN_DISK
  while :; do
    look_for_disks
    if find_own_disk && [ "$OWN_DISK" != "$before" ]; then
      say "disk $OWN_DISK of host $OWN_HOST is there now: the order is asked for anew"
      INVENTORY=''
      return 0
    fi
    case ${M_INSTALL_DISK%%,*} in smallest | first-empty) ;; *) return 1 ;; esac
    awaited=$(awaited_controllers | tr '\n' ' ')
    if disks_are_quiet && [ -z "$awaited" ]; then return 1; fi
    if [ $(($(uptime_seconds) - STARTED)) -ge "$OWN_DISK_SECONDS" ]; then return 1; fi
    if [ -z "$said" ]; then say "this host's own disk may still come${awaited:+, from ${awaited% }}: waiting for $OWN_DISK_SECONDS s from the start"; fi
    said=yes
    sleep 1
  done
}

# has_moved_on: the host, from the disk that was found to one that was not.
has_moved_on() {
  mount_boot "$OWN_DISK" ro 2> /dev/null && has_moved
  set -- $?
  unmount_disk
  return "$1"
}

# is_self HOST: a card of this machine, or the host that the server takes it for.
is_self() {
  is_port "$1" || [ "$1" = "${M_HOST:-}" ]
}

# is_port MAC: of a card that is in this machine.
is_port() {
  grep -qixF "$1" "$WB_SYS"/class/net/*/address 2> /dev/null
}

# take_over: what the disk that own_disk_by looks at says of this host.
take_over() {
  OWN_HOST=$owner
  OWN_GUID=$(cat "$STATE/disk" 2> /dev/null)
  # Once the server has said which host this machine is now, no other's will do.
  if is_self "$OWN_HOST" && [ "${M_HOST:-$OWN_HOST}" = "$OWN_HOST" ]; then
    if [ "${SERIAL_OF:-$OWN_HOST}" != "$OWN_HOST" ]; then SERIAL_SEEN=0; fi
    SERIAL_SEEN=$(serial_last) SERIAL_OF=$OWN_HOST
  fi
  # The token that this install was claimed with stays: the server knows no other any more.
  if [ -s "$STATE/token" ] && ! is_refused_token && [ -z "${CLAIMED:-}" ] && { [ -z "${TOKEN_OF:-}" ] || [ "$TOKEN_OF" != "${M_HOST:-}" ] || [ "$OWN_HOST" = "$M_HOST" ]; }; then
    TOKEN_OF=$OWN_HOST
    cp "$STATE/token" "$WB_RUN/token"
    use_token "$(cat "$WB_RUN/token")"
  fi
}

# is_refused_token: the disk's, by which a claim was refused.
is_refused_token() {
  grep -qxF "$(cat "$STATE/token")" "$WB_RUN/tokens.refused" 2> /dev/null
}

# disk_came: while the server has nothing to do for this machine, a disk with its system may still come, behind a slow controller.
disk_came() {
  case ${M_ACTION:-} in '' | install) return 1 ;; esac
  more_disks
}

# more_disks: than at the last look; what says who this machine is may be on one of them.
more_disks() {
  local before
  before=$DISKS
  look_for_disks
  if [ "$DISKS" = "$before" ]; then return 1; fi
  INVENTORY=''
  if ! knows_itself; then find_own_disk || :; fi
}

# knows_itself: by a disk that names one of its cards, or the host that the server takes it for.
knows_itself() {
  [ -n "$OWN_DISK" ] && is_self "$OWN_HOST"
}

# boot_disk WHY [answered]: does not come back when there is a valid slot that kexec takes. Where it is known which host this is, by a server
# that has answered or by a disk, the system of another one is not started: it may run over there, from the same storage.
boot_disk() {
  local name arguments
  for name in $OWN_DISK $(candidates); do
    if { [ -n "${2:-}${M_HOST:-}" ] || knows_itself; } && is_warmboot_disk "$name" && is_anothers "$name"; then
      say "disk $name belongs to another host, $OWNER, so its system is not started"
      continue
    fi
    if is_warmboot_disk "$name" && mount_boot "$name" rw 2> /dev/null; then
      if slot_to_boot "$name"; then
        arguments=$(slot_command_line "$BOOT_SLOT")
        say "boots slot $BOOT_SLOT of $name: $1"
        jump "$BOOT_SLOT" "$arguments${BOOT_MORE:+ $BOOT_MORE}"
      fi
      unmount_disk
    fi
  done
}

# jump SLOT COMMAND-LINE [reboot]: leaves this kernel. Where kexec does not work or is not wanted, the firmware finds
# GRUB on the disk.
jump() {
  local why digest
  # A disk that hangs would be waited for.
  if [ -e "$WB_RUN/hangs" ]; then KEXEC_OPTIONS=--no-sync; fi
  if [ "${3:-kexec}" = kexec ]; then
    digest=$(slot_record "$1" DIGEST) || digest=''
    if load_slot "$1" "$2"; then
      unmount_disk
      flush
      say "kexec slot $1"
      # shellcheck disable=SC2086 # options
      why=$(kexec ${KEXEC_OPTIONS:-} -e 2>&1) || :
      # Only a jump that did not take place comes here.
      why="kexec does not leave this kernel: $(echo "$why" | tail -n 1)"
    else
      why="kexec does not load slot $1: $(tail -n 1 "$WB_RUN/log")"
    fi
    unmount_disk
    flush
    say "$why; the machine starts again through its firmware in 30 s"
    tell_jump "$1" "$digest" "$why; the machine goes through its firmware"
    sleep 30
  fi
  unmount_disk
  flush
  say "restart through the firmware"
  reboot -nf
}

# flush: to all disks, unless one hangs: it would be waited for, and what an install has written was flushed by itself.
flush() {
  if [ ! -e "$WB_RUN/hangs" ]; then sync; fi
}

# tell_jump SLOT DIGEST WHY: before the reboot, for a firmware may take long and nobody would know what it is about. What was installed
# stays installed, so that is what is said of the attempt, with the reason; without an attempt it is a failure that ends none.
tell_jump() {
  if [ -z "$SERVER" ] || [ -z "$HOST" ]; then return; fi
  log_tail "$WB_RUN/log.tail"
  if [ "${M_ACTION:-}" = install ]; then set -- installed phase=jump reason="$3" slot="$1" digest="$2"
  else set -- failed phase=jump reason="$3"
  fi
  report_keep "$@" log@"$WB_RUN/log.tail" || say 'nobody took the report of it'
}
