#!/bin/sh
# PID 1 of a kernel that runs as a process (User Mode Linux), with two disks, /dev/ubda and /dev/ubdb: installs a host on one of them after
# the other, as the installer does but for the system itself, says what came of it, and switches itself off.
#
# From the environment: LIB (installer and agent in one folder), KERNEL_MODULES, LAYOUTS (a folder with the server's tables, by attempt),
# INSTALLS (words ATTEMPT/DISK/SLOT, and behind that what else: /cut, the power goes before the slot is written; /older, by a release
# whose GRUB leads nowhere; /other, of another host).
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755 tmpfs /run
exec > /dev/console 2>&1
for module in fat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8 vfat; do
  busybox insmod "$(find "$KERNEL_MODULES" -name "$module.ko")" || exit 1
done

export WB_LIB="$LIB" WB_RUN=/run/warmboot WB_CONSOLE=/dev/null
mkdir -p "$WB_RUN/work"
for part in lib.sh hardware.sh choose-disk.sh boot-disk.sh whose-disk.sh partition.sh other-disks.sh install.sh; do
  # shellcheck source=/dev/null
  . "$LIB/$part"
done

# --- the server, the network and the image are played -----------------------------------------------------------
fetch_layout() {
  cp "$LAYOUTS/$M_ATTEMPT" "$WB_RUN/layout"
  # shellcheck disable=SC2034 # read by get_layout
  HTTP_STATUS=200
}
is_port() { [ "$1" = "$HOST" ]; }
get_host_files() { :; }
put_host_files() { :; }
download_index() { if [ "$MORE" = cut ]; then fail 'the power goes'; fi; }
flash_slot() { :; }
put_boot_files() {
  echo none > "$BOOT/warmboot/$1/vmlinuz"
  echo none > "$BOOT/warmboot/$1/initrd.img"
  slot_put_command_line "$1" x y
}

install_on() {
  # shellcheck disable=SC2034 # M_SLOT is the order's
  M_ATTEMPT=$1 CHOSEN=$2 M_SLOT=$3 MORE=${4:-} M_SERIAL=$((M_SERIAL + 1)) M_HOST=$HOST
  if [ "$MORE" = other ]; then M_HOST=52:54:00:00:00:99; fi
  rm -f "$WB_RUN/layout" "$WB_RUN/work/reason"
  ( install_work "$(device "$CHOSEN")" )
  echo "install on $2: $(cat "$WB_RUN/work/reason" 2> /dev/null)"
  if [ "$MORE" = older ]; then
    sed -i '/^load_env /s/ host moved / /' "$BOOT/grub/grub.cfg"
  fi
  unmount_disk
  # What an installer knows that starts anew.
  OWN_DISK='' OWN_HOST='' SERIAL_SEEN=0
  find_own_disk
  echo "the host's disk: $OWN_DISK"
}

# shellcheck disable=SC2034 # read by the scripts
{
  HOST=52:54:00:00:00:01 M_HOST=52:54:00:00:00:01 OWN_DISK='' OWN_HOST='' CLAIMED=yes SERIAL_SEEN=0 M_SERIAL=0
  M_INSTALL_WIPE=false M_IMAGE_NAME=x M_IMAGE_DIGEST=sha256:x M_FILES_SHA256=''
  SERVER=http://10.0.0.1 SERVER_URL=http://10.0.0.1 SERVER_PEM=$WB_RUN/server.pem
}
echo token > "$WB_RUN/token"
echo key > "$SERVER_PEM"
find_own_disk
for each in $INSTALLS; do
  # shellcheck disable=SC2046 # its words
  install_on $(echo "$each" | tr / ' ')
done
cat "$WB_RUN/log"
for name in ubda ubdb; do
  if mount_boot "$name" rw; then
    if slot_to_boot "$name"; then echo "the installer starts $name: slot $BOOT_SLOT"; else echo "the installer starts $name: nothing"; fi
    umount "$BOOT"
  fi
done
echo 'the job is done'
sync
echo o > /proc/sysrq-trigger
sleep 60
