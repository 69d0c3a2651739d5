# shellcheck shell=sh
# The boot partition: /warmboot/SLOT/ for each slot, and grubenv. GRUB and kexec read only here. A slot is valid while
# its file `valid` exists; that file goes before anything of the slot is touched, and comes last.

# boot_writable, boot_readonly: writable only while something is written. Going back to read-only also waits until
# this filesystem, and no other, is on the disk.
boot_writable() {
  mount -o remount,rw "$BOOT"
}

boot_readonly() {
  mount -o remount,ro "$BOOT" && boot_flush
}

# boot_flush: the remount gives all to the disk, but vfat does not tell the disk to empty its cache, and before Linux 3.16 not even
# when a file of it is synced. Syncing the partition does.
boot_flush() {
  local part
  # Not mounted: there is nothing to be flushed.
  mounted_at "$BOOT" || return 0
  part=$(readlink -f "$WB_SYS/dev/block/$NUMBER") && "$HELPER" sync "$(device "${part##*/}")" 2> /dev/null
}

boot_sync() {
  boot_readonly && boot_writable
}

# slot_record SLOT KEY: DIGEST, NAME, ATTEMPT or MODIFIED as noted when the slot became valid; 1 for an invalid slot.
slot_record() {
  local line
  [ -f "$BOOT/warmboot/$1/valid" ] || return 1
  while IFS= read -r line; do
    case $line in "$2='"*\') line=${line#*\'}; echo "${line%\'}" ;; esac
  done < "$BOOT/warmboot/$1/valid"
}

# slot_state SLOT: empty | invalid | valid | modified (valid, and run since it was written)
slot_state() {
  if [ ! -d "$BOOT/warmboot/$1" ]; then echo empty
  elif [ ! -f "$BOOT/warmboot/$1/valid" ]; then echo invalid
  elif [ -n "$(slot_record "$1" MODIFIED)" ]; then echo modified
  else echo valid
  fi
}

# slot_fields DISK: a report's fields on the disk and all slots; no spaces in them.
slot_fields() {
  local slot
  if is_read_only; then echo readOnly=true; else echo readOnly=false; fi
  echo "disk=$(cat "$STATE/disk" 2> /dev/null)"
  echo "default=$(grubenv_get default)"
  for slot in $(slots_on "$1"); do
    echo "slots.$slot.state=$(slot_state "$slot")"
    echo "slots.$slot.digest=$(slot_record "$slot" DIGEST)"
    echo "slots.$slot.files=$(cat "$STATE/files/slot-$slot" 2> /dev/null)"
  done
}

slot_mark_invalid() {
  mkdir -p "$BOOT/warmboot/$1" && rm -f "$BOOT/warmboot/$1/valid" && boot_sync
}

# slot_mark_valid SLOT DIGEST NAME ATTEMPT: the last step of staging.
slot_mark_valid() {
  printf "DIGEST='%s'\nNAME='%s'\nATTEMPT='%s'\n" "$2" "$3" "$4" | slot_put_record "$1"
}

# slot_put_record SLOT: stdin makes it valid, after all else is on the disk.
slot_put_record() {
  boot_sync && put "$BOOT/warmboot/$1/valid" && boot_sync
}

# slot_mark_modified SLOT: it runs now and is writable, so it no longer holds just the image. The line is added to the file that is
# there: on FAT a power cut can leave a file that was being replaced with clusters that are free.
slot_mark_modified() {
  echo "MODIFIED='1'" >> "$BOOT/warmboot/$1/valid" && boot_sync
}

# slot_change_command_line SLOT APPEND TRIAL: of a valid slot, for another attempt. It is not valid meanwhile, see above; cut off here
# it is staged again, which finds the image's bytes where they are.
slot_change_command_line() {
  local record
  if [ "$(slot_command_line "$1")" = "$2" ] && [ "$(slot_trial_arguments "$1")" = "$3" ]; then return 0; fi
  record=$(cat "$BOOT/warmboot/$1/valid") && slot_mark_invalid "$1" && slot_put_command_line "$@" \
    && printf '%s\n' "$record" | slot_put_record "$1"
}

# slot_put_command_line SLOT APPEND TRIAL: for kexec (cmdline) and for GRUB (slot.cfg). Both were checked to hold no quote.
slot_put_command_line() {
  printf '%s\n' "$2" | put "$BOOT/warmboot/$1/cmdline" \
    && printf "set slot_append='%s'\nset slot_trial='%s'\n" "$2" "$3" | put "$BOOT/warmboot/$1/slot.cfg"
}

slot_command_line() {
  cat "$BOOT/warmboot/$1/cmdline"
}

slot_trial_arguments() {
  sed -n "s/^set slot_trial='\(.*\)'\$/\1/p" "$BOOT/warmboot/$1/slot.cfg"
}

grubenv_get() {
  "$HELPER" grubenv "$BOOT/grub/grubenv" get "$1" 2> /dev/null
}

# grubenv_set NAME=VALUE…: overwritten in place. One that cannot be read is made anew, with the system that runs as its default: GRUB
# then knows no worse. One that can be read, and not be written for a moment, would lose its default by that.
grubenv_set() {
  "$HELPER" grubenv "$BOOT/grub/grubenv" set "$@" 2> /dev/null && return
  if "$HELPER" grubenv "$BOOT/grub/grubenv" list > /dev/null 2>&1; then return 1; fi
  case " $*" in *' default='*) ;; *) set -- ${SLOT:+"default=$SLOT"} "$@" ;; esac
  "$HELPER" grubenv "$BOOT/grub/grubenv" init "$@"
}

# has_moved: the host is on another disk than the one whose boot partition is mounted: an order has led it there.
has_moved() {
  local host
  host=$(grubenv_get moved)
  [ -n "$host" ] && [ ! -e "$BOOT/warmboot/host-$host" ]
}

# slot_to_boot DISK: what GRUB would start at this power-on, for a machine that came up in the installer instead.
# Sets BOOT_SLOT and BOOT_MORE, the arguments behind the slot's own, having counted down as grub.cfg does (same rules, same order);
# 1 when no slot is valid, or the host has moved to another disk.
slot_to_boot() {
  local slot tries other
  BOOT_SLOT='' BOOT_MORE=''
  if has_moved; then return 1; fi
  slot=$(grubenv_get next)
  if [ -n "$slot" ]; then
    if grubenv_set next= && [ -f "$BOOT/warmboot/$slot/valid" ]; then
      BOOT_SLOT=$slot BOOT_MORE=$(slot_trial_arguments "$slot")
      return 0
    fi
  fi
  slot=$(grubenv_get default)
  if [ -z "$slot" ] || [ ! -f "$BOOT/warmboot/$slot/valid" ]; then slot=$(first_valid_slot "$1"); fi
  [ -n "$slot" ] || return 1
  if [ "$(grubenv_get "tries_$slot")" = 0 ]; then
    # With no other way out, a slot that failed is tried again rather than leaving the machine dead.
    for other in $(slots_on "$1"); do
      if [ "$other" != "$slot" ] && [ -f "$BOOT/warmboot/$other/valid" ] && [ "$(grubenv_get "tries_$other")" != 0 ]; then
        slot=$other
        break
      fi
    done
  fi
  tries=$(grubenv_get "tries_$slot")
  case $tries in
    0) ;;
    1 | 2) count_boot "tries_$slot=$((tries - 1))" ;;
    *) count_boot "tries_$slot=2" ;;
  esac
  BOOT_SLOT=$slot
}

# count_boot NAME=VALUE: into grubenv; BOOT_MORE where the disk takes no writes at all.
count_boot() {
  if ! grubenv_set "$1" && [ -f "$BOOT/grub/spare" ] && ! "$HELPER" grubenv "$BOOT/grub/spare" init "$1" 2> /dev/null; then
    BOOT_MORE='ro rootflags=norecovery fsck.mode=skip warmboot.disk=read-only'
  fi
}

# first_valid_slot DISK: prints nothing when there is none.
first_valid_slot() {
  local slot
  for slot in $(slots_on "$1"); do
    if [ -f "$BOOT/warmboot/$slot/valid" ]; then echo "$slot"; return 0; fi
  done
}
