# shellcheck shell=sh
# The machine's hardware watchdogs: which there are, and which may stay armed over a jump.

# watchdogs: the kernel's names of them. Not softdog, a timer of the kernel that it would have to guard; where the kernel is too old to
# tell (before 4.5) that is whichever has no device.
watchdogs() {
  local path identity
  for path in "$WB_SYS"/class/watchdog/watchdog*; do
    if identity=$(cat "$path/identity" 2> /dev/null); then
      if [ "$identity" != 'Software Watchdog' ]; then echo "${path##*/}"; fi
    elif [ -e "$path/device" ]; then echo "${path##*/}"
    fi
  done
}

# watchdog_module NAME: its driver, as modprobe calls it. 1: nobody knows.
watchdog_module() {
  local path
  path=$WB_SYS/class/watchdog/$1/device/driver
  if [ ! -e "$path" ]; then module_left; return; fi
  if [ -e "$path/module" ]; then path=$path/module; fi
  path=$(readlink -f "$path") && [ -e "$path" ] && echo "${path##*/}" | tr - _
}

# module_left: the driver of the watchdog for which sysfs names none, because its driver gave it no parent (i6300esb, those of Super I/O
# chips). It is the driver that is left when the other watchdogs have theirs; where that does not leave one to one, nobody knows.
module_left() {
  local name others nameless
  others=' ' nameless=0
  for name in $(watchdogs); do
    if [ -e "$WB_SYS/class/watchdog/$name/device/driver" ]; then others="$others$(watchdog_module "$name") "
    else nameless=$((nameless + 1))
    fi
  done
  set --
  for name in $(watchdog_drivers); do
    case $others in *" $name "*) ;; *) set -- "$@" "$name" ;; esac
  done
  [ "$nameless $#" = '1 1' ] && echo "$1"
}

# watchdog_drivers: those that may have made a watchdog: the ones that are loaded, and all that are built in, of which sysfs does not
# tell. Beside the drivers, their folder holds softdog and what drivers and kernel use.
watchdog_drivers() {
  local modules kind name
  modules=${WB_ROOT:-}/lib/modules/$(cat "$WB_PROC/sys/kernel/osrelease" 2> /dev/null)
  for kind in dep builtin; do
    for name in $(module_files "$modules/modules.$kind" | grep /drivers/watchdog/ | module_names); do
      case $name in softdog | watchdog | pretimeout_* | iTCO_vendor_support) continue ;; esac
      if [ "$kind" = dep ] && [ ! -d "$WB_SYS/module/$name" ]; then continue; fi
      if may_have_device "$name"; then echo "$name"; fi
    done
  done
}

# may_have_device MODULE: no, where its drivers are bound to none: that hardware is not there, or did not answer.
may_have_device() {
  local path
  [ -d "$WB_SYS/module/$1/drivers" ] || return 0
  for path in "$WB_SYS/module/$1/drivers"/*/*; do
    if [ -L "$path" ] && [ "${path##*/}" != module ]; then return 0; fi
  done
  return 1
}

# module_files FILE: each line of modules.dep and modules.builtin begins with a module's file.
module_files() {
  sed 's/:.*//' "$1" 2> /dev/null
}

# module_names: of the files on stdin, as modprobe and sysfs call them.
module_names() {
  sed 's|.*/||; s/\.ko.*//' | tr - _
}

# watchdog_fact NAME ATTRIBUTE: what the kernel says of it; nothing where it is too old to say.
watchdog_fact() {
  cat "$WB_SYS/class/watchdog/$1/$2" 2> /dev/null
}

# stays_armed: the kernel that runs lets a watchdog go on when it ends. Linux before 5.8 has no such word: there each driver decides.
stays_armed() {
  [ "$(cat "$WB_SYS/module/watchdog/parameters/stop_on_reboot" 2> /dev/null)" = 0 ]
}

# watchdog_for_jump SLOT: leaves word for the hook that arms it at the last moment (system-shutdown/warmboot), and prints the driver that
# the next system has to load. 1: this jump goes without. A watchdog that the next system does not know would reset it in its best health,
# so that system is looked at: it must have the driver, an agent that feeds it, and a kernel that lets it be given up after the trial.
watchdog_for_jump() {
  local name module
  rm -f "$WB_RUN/watchdog"
  stays_armed || return 1
  if echo "${M_APPEND:-}" | grep -qE "$NOWAYOUT"; then return 1; fi
  for name in $(watchdogs); do
    if [ "$(watchdog_fact "$name" nowayout)" = 0 ] && module=$(watchdog_module "$name") && slot_knows_watchdog "$1" "$module"; then
      echo "$name $module" > "$WB_RUN/watchdog"
      echo "$module"
      return 0
    fi
  done
  return 1
}

# slot_knows_watchdog SLOT MODULE: the filesystem is only read, not even its journal is replayed.
slot_knows_watchdog() {
  local at part result
  at=$WB_RUN/look result=1
  part=$(partition_on "$DISK" "warmboot-$1") && mkdir -p "$at" || return 1
  if mount -t ext4 -o ro,noload,nodev,nosuid,noexec "$(device "$part")" "$at" 2> /dev/null \
    || mount -t xfs -o ro,norecovery,nouuid,nodev,nosuid,noexec "$(device "$part")" "$at" 2> /dev/null; then
    if tree_knows_watchdog "$at" "$2"; then result=0; fi
    umount "$at" || umount -l "$at"
  fi
  return "$result"
}

# tree_knows_watchdog FOLDER MODULE: it is among the modules of that system's kernels, or built in, and its trial-guard may feed it.
tree_knows_watchdog() {
  local file
  [ -f "$1/usr/lib/warmboot/watchdog.sh" ] || return 1
  if grep -qsx 'WATCHDOG=no' "$1/etc/warmboot/agent.conf" || never_gives_up "$1"; then return 1; fi
  for file in "$1"/usr/lib/modules/*/modules.dep "$1"/usr/lib/modules/*/modules.builtin \
    "$1"/lib/modules/*/modules.dep "$1"/lib/modules/*/modules.builtin; do
    # Without usr-merge /lib is a folder; as a link it may lead out of here.
    case $file in "$1"/lib/*) if [ -L "$1/lib" ]; then continue; fi ;; esac
    if [ -f "$file" ] && module_files "$file" | module_names | grep -qxF "$2"; then return 0; fi
  done
  return 1
}

# As the kernel reads a switch (kstrtobool); a bare word turns it on.
NOWAYOUT='nowayout(=[1yYtT]|=[oO][nN]|[[:space:]]|$)'

# never_gives_up FOLDER: that system's watchdogs, once armed, cannot be stopped: by its modprobe.d, or by how its kernels were built.
never_gives_up() {
  local lib
  lib=$1/lib
  if [ -L "$lib" ]; then lib=$1/usr/lib; fi
  grep -qsE "^[^#]*$NOWAYOUT" "$1"/etc/modprobe.d/*.conf "$1"/usr/lib/modprobe.d/*.conf "$lib"/modprobe.d/*.conf \
    || grep -qsx 'CONFIG_WATCHDOG_NOWAYOUT=y' "$1"/boot/config-* "$1"/usr/lib/modules/*/config "$lib"/modules/*/config
}

# watchdog_that_reset: the watchdog that made the last start of this machine (WDIOF_CARDRESET, 0x20), if one says so: by its driver, or
# by what it calls itself.
watchdog_that_reset() {
  local name status
  for name in $(watchdogs); do
    status=$(watchdog_fact "$name" bootstatus)
    case $status in '' | *[!0-9]*) continue ;; esac
    if [ $((status / 32 % 2)) -eq 1 ]; then
      watchdog_module "$name" || watchdog_fact "$name" identity
      return
    fi
  done
  return 1
}
