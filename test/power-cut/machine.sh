#!/bin/sh
# PID 1 of a kernel that runs as a process (User Mode Linux): a server, and a machine with one disk, /dev/vda, whose every
# write is recorded outside. The installer and the agent are the real ones, with the real vfat and ext4 below them; what
# leaves a system (kexec, systemctl, reboot) is played, and then the next system starts as it would.
#
# From the environment: NODE (the program), CHECKOUT, WORK (folders outside; WORK/lib holds the scripts that are tried, with helper and GRUB),
# KERNEL_MODULES. The file systems from outside are read-only here, so whatever happens stays in here.
set -u
export PATH=/run/played:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/run TMPDIR=/run/tmp LC_ALL=C
# This kind of kernel cannot fork what has mapped an io_uring.
export UV_USE_IO_URING=0

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/tmp /run/played /run/etc
cp -a /etc/. /run/etc/ && mount --bind /run/etc /etc
ip link set lo up
for module in virtio_blk fat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8 vfat; do
  busybox insmod "$(find "$KERNEL_MODULES" -name "$module.ko")" || exit 1
done
# QEMU's block device says nothing of its cache; with this one the kernel sends its flushes.
echo 'write back' > /sys/class/block/vda/cache_type

# Marks are sectors in the last MiB, where no partition lies: the record then says when things outside of the disk happened.
cat > /run/played/mark << 'END'
#!/bin/sh
printf '%-512s' "warmboot mark: $*" | dd of=/dev/vda bs=512 seek=$(($(cat /sys/class/block/vda/size) - 1024)) \
  oflag=direct conv=notrunc 2> /dev/null
echo "mark $*"
END
# leave HOW: the system that called it ends here, as if its kernel had.
cat > /run/played/leave << 'END'
#!/bin/sh
mark "leaves by $1"
echo "$1" > /run/left
kill -9 "-$(cat /run/session)"
sleep 10
END
cat > /run/played/kexec << 'END'
#!/bin/sh
for word in "$@"; do
  case $word in
    -u) rm -f /run/loaded ;;
    -e) leave kexec ;;
    --command-line=*) echo "${word#*=}" > /run/loaded ;;
  esac
done
END
cat > /run/played/systemctl << 'END'
#!/bin/sh
case $1 in
  # Another program of that system goes on: it must not end before it leaves.
  stop) kill -STOP "-$(cat /run/session)" ;;
  *) leave "$1" ;;
esac
END
cat > /run/played/reboot << 'END'
#!/bin/sh
leave reboot
END
mkdir -p /etc/warmboot/health.d
cat > /etc/warmboot/health.d/10-mark << 'END'
#!/bin/sh
slot=$(sed 's/.*warmboot\.slot=\([a-h]\).*/\1/' /proc/cmdline)
[ -e /run/warmboot/marked ] || mark "healthy $slot"
: > /run/warmboot/marked
END
chmod 755 /run/played/* /etc/warmboot/health.d/*

# start PROGRAM COMMAND-LINE: a kernel has started, with that command line and a boot id of its own.
start() {
  umount /proc/cmdline /proc/sys/kernel/random/boot_id 2> /dev/null
  rm -rf /run/warmboot /run/left /run/loaded
  mkdir -p /run/warmboot
  # The network is the loopback device: there is no lease to wait for.
  echo lo > /run/warmboot/port
  cat /proc/sys/kernel/random/uuid > /run/boot-id
  printf '%s\n' "$2" > /run/cmdline
  mount --bind /run/boot-id /proc/sys/kernel/random/boot_id
  mount --bind /run/cmdline /proc/cmdline
  mark "starts ${1##*/} $(echo "$2" | sed -n 's/.*warmboot\.slot=\([a-h]\).*/\1/p')"
  # shellcheck disable=SC2016 # for the inner shell
  WB_LIB=$WORK/lib setsid sh -c 'echo $$ > /run/session; exec "$0"' "$WORK/lib/$1" < /dev/null
}

# end_session: what the system had started ends with it, also what is in a process group of its own.
end_session() {
  for stat in /proc/[0-9]*/stat; do
    awk -v session="$(cat /run/session)" '{ pid = $1; sub(/.*\) /, ""); if ($4 == session) print pid }' "$stat" 2> /dev/null
  done | xargs -r kill -9 2> /dev/null
}

(cd "$CHECKOUT" && exec "$NODE" test/power-cut/orders.ts "$WORK") &
until [ -e /run/server ]; do sleep 0.2; done
(cd / && curl -q -sS "$(cat /run/server)/boot/installer/config.img" | busybox cpio -idm) || exit 1

system=installer
arguments='warmboot.mac=52:54:00:00:00:01'
while [ ! -e /run/done ]; do
  start "$system" "$arguments"
  how=$(cat /run/left 2> /dev/null)
  loaded=$(cat /run/loaded 2> /dev/null)
  end_session
  # What systemd does before either way out.
  for at in boot state; do
    until umount "/run/warmboot/$at" 2> /dev/null || ! grep -q " /run/warmboot/$at " /proc/mounts; do sleep 0.1; done
  done
  case $how in
    kexec) system=agent arguments=$loaded ;;
    # The firmware boots from the network first.
    reboot) system=installer arguments='warmboot.mac=52:54:00:00:00:01' ;;
    *) echo "the $system ended by itself"; break ;;
  esac
done
mark "end $(cat /run/done 2> /dev/null)"
echo "ended: $(cat /run/done 2> /dev/null)"
poweroff -f
