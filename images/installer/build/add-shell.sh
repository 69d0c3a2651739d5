#!/bin/sh
# add-shell.sh TREE: directories, and busybox under all of its names.
set -eu
tree=$1
for dir in dev proc sys run tmp mnt var etc/warmboot usr/bin usr/sbin usr/lib usr/lib64; do mkdir -p "$tree/$dir"; done
ln -s usr/bin usr/sbin usr/lib usr/lib64 "$tree"
ln -s ../run "$tree/var/run"
cp /usr/bin/busybox "$tree/usr/bin/busybox"
for applet in $(busybox --list); do
  if [ "$applet" != busybox ]; then ln -s busybox "$tree/usr/bin/$applet"; fi
done
# kmod and mke2fs do these better: their own programs come to /usr/sbin.
cd "$tree/usr/bin" && rm -f modprobe insmod rmmod lsmod depmod modinfo mke2fs
