#!/bin/sh
# install.sh DISK: what the installer does with an empty disk, by its own functions and the agent's, onto a loop device of that
# name. Nothing is booted from it, so there is no boot loader on it. The bench's kernel may read no partition tables, so it is told of
# the partitions, which have no names then (hence an msdos layout), and have no FAT, so the boot partition is ext4. SERVER, HOST, WB_LIB, INSTALLER, WB_RUN, HELPER come from the environment.
set -u
umask 077
# shellcheck disable=SC2034 # for the functions below
WB_CONSOLE=/dev/null SERVER_PEM=$WB_RUN/etc/warmboot/server.pem SERVER_URL=$SERVER STREAMS=4
mkdir -p "$WB_RUN/outbox"
# shellcheck source-path=SCRIPTDIR/../../images/agent/rootfs/usr/lib/warmboot
. "$WB_LIB/lib.sh"
# shellcheck source-path=SCRIPTDIR/../../images/installer/rootfs/usr/lib/warmboot
. "$INSTALLER/choose-disk.sh"
# shellcheck source-path=SCRIPTDIR/../../images/installer/rootfs/usr/lib/warmboot
. "$INSTALLER/install.sh"

mount_boot() {
  mkdir -p "$BOOT"
  mount -t ext4 -o "$2" "$(device "$(partition_on "$1" warmboot-boot)")" "$BOOT"
}

wait_for_partition() {
  partx --update "$(device "$CHOSEN")"
  [ -b "$(device "$(partition_on "$CHOSEN" "warmboot-$1")")" ]
}

make_boot_partition() {
  tracked mke2fs -q -F -t ext4 -L warmboot "$(device "$(partition_on "$CHOSEN" warmboot-boot)")" || fail "mke2fs: $(last_error)"
  mount_boot "$CHOSEN" rw || fail 'the new boot partition cannot be mounted'
}

put_loader() {
  mkdir -p "$BOOT/grub" "$BOOT/warmboot"
  grubenv_set "default=$M_SLOT" next= "tries_$M_SLOT=3" || fail 'the boot partition cannot be written'
}

give_up() {
  echo "the install onto $1 failed: $2" >&2
  cat "$WB_RUN/log" >&2
  exit 1
}

curl -q -sS -f "$SERVER/boot/installer/config.img" | (cd "$WB_RUN" && cpio -idm --quiet) || give_up "$1" 'no trust to be had'
# shellcheck disable=SC2034 # for the functions above
CHOSEN=$1 OWN_DISK='' ETAG=''
trust_settle
manifest_fetch 0 || give_up "$1" "no manifest: $HTTP_STATUS"
[ "$M_ACTION" = install ] || give_up "$1" "the server orders '$M_ACTION'"
claim || give_up "$1" 'the claim was refused'
# shellcheck disable=SC2034 # for the reports
ATTEMPT=$M_ATTEMPT
watched install_work "$(device "$CHOSEN")" || give_up "$1" "$(cat "$WB_RUN/work/reason" 2> /dev/null)"
printf '%s\n' "$M_APPEND" > "$WB_RUN/append"
report_installed
unmount_disk
