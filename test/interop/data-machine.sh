#!/bin/sh
# PID 1 of a kernel that runs as a process (User Mode Linux), with a disk, /dev/ubda: does one thing of the installer's or of an OS's with
# the disk's data partition, says what came of it, and switches itself off.
#
# From the environment: LIB (installer and agent in one folder), LAYOUT (the table that the server gives), JOB (install, cut, boot).
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /mnt
exec > /dev/console 2>&1

export WB_LIB="$LIB" WB_RUN=/run/warmboot WB_CONSOLE=/dev/null DATA=/mnt/data
mkdir -p "$WB_RUN/work" "$WB_RUN/state"
for part in lib.sh data.sh choose-disk.sh boot-disk.sh whose-disk.sh partition.sh install.sh; do
  # shellcheck source=/dev/null
  . "$LIB/$part"
done

# off: as when the power goes, if nothing was synced before.
off() {
  echo o > /proc/sysrq-trigger
  sleep 60
}

fetch_layout() {
  cp "$LAYOUT" "$WB_RUN/layout"
  # shellcheck disable=SC2034 # read by make_partitions
  HTTP_STATUS=200
}

install_partitions() {
  # shellcheck disable=SC2034 # the order, and what is known of the disk
  CHOSEN=ubda OWN_DISK='' M_HOST=x M_SLOT=a M_INSTALL_WIPE=false
  ( make_partitions /dev/ubda )
  echo "reason: $(cat "$WB_RUN/work/reason" 2> /dev/null)"
  cat "$WB_RUN/log"
}

case $JOB in
  install) install_partitions ;;
  cut)
    tracked() {
      case $1 in */mke2fs) echo 'the power goes'; off ;; esac
      "$@" 2> "$WB_RUN/work/command.err"
    }
    install_partitions ;;
  boot)
    mount_data ubda
    echo "mount: $?"
    if is_mounted "$DATA"; then
      systems=''
      [ ! -e "$DATA/systems" ] || systems=$(tr '\n' ' ' < "$DATA/systems")
      echo "systems: $systems"
      echo one >> "$DATA/systems"
      df -Pk "$DATA" | awk 'NR == 2 { print "size:", int($2 / 1024) }'
      data_healthy ubda
      echo "healthy: $?"
      umount "$DATA"
    fi
    # Whoever writes there without the filesystem is told so.
    if [ -d "$DATA" ]; then (: > "$DATA/stray") 2> /dev/null; echo "stray: $?"; fi ;;
esac
echo 'the job is done'
sync
off
