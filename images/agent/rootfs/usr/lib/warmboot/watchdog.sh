# shellcheck shell=sh
# The machine's hardware watchdogs: which there are, and which may stay armed over a jump.

# watchdogs: the kernel's names of them. softdog has no device: it is a timer of the kernel that it would have to guard.
watchdogs() {
  local path
  for path in "$WB_SYS"/class/watchdog/watchdog*; do
    if [ -e "$path/device" ]; then echo "${path##*/}"; fi
  done
}

# watchdog_module NAME: its driver, as modprobe calls it.
watchdog_module() {
  local path
  path=$WB_SYS/class/watchdog/$1/device/driver
  if [ -e "$path/module" ]; then path=$path/module; fi
  path=$(readlink -f "$path") && [ -e "$path" ] && echo "${path##*/}" | tr - _
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
# so that system is looked at: it must have the driver, and an agent that feeds it.
watchdog_for_jump() {
  local name module
  rm -f "$WB_RUN/watchdog"
  stays_armed || return 1
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

# tree_knows_watchdog FOLDER MODULE: each line of modules.dep and modules.builtin begins with a module's file.
tree_knows_watchdog() {
  local file
  [ -f "$1/usr/lib/warmboot/watchdog.sh" ] || return 1
  for file in "$1"/usr/lib/modules/*/modules.dep "$1"/usr/lib/modules/*/modules.builtin \
    "$1"/lib/modules/*/modules.dep "$1"/lib/modules/*/modules.builtin; do
    # Without usr-merge /lib is a folder; as a link it may lead out of here.
    case $file in "$1"/lib/*) if [ -L "$1/lib" ]; then continue; fi ;; esac
    if [ -f "$file" ] && sed 's/:.*//; s|.*/||; s/\.ko.*//' "$file" | tr - _ | grep -qxF "$2"; then return 0; fi
  done
  return 1
}

# watchdog_that_reset: the driver of the watchdog that made the last start of this machine (WDIOF_CARDRESET, 0x20), if one says so.
watchdog_that_reset() {
  local name status
  for name in $(watchdogs); do
    status=$(watchdog_fact "$name" bootstatus)
    case $status in '' | *[!0-9]*) continue ;; esac
    if [ $((status / 32 % 2)) -eq 1 ]; then watchdog_module "$name"; return; fi
  done
  return 1
}
