#!/bin/sh
# agent.sh DISK ROOT LIB ACCOUNT APPEND: the agent as it runs on a host whose disk is DISK (layout two-slots-msdos): its root is slot a, at ROOT,
# its scripts and helper those in the folder LIB, its /proc/cmdline what APPEND holds. Runs in mount and process namespaces of
# its own, under ACCOUNT. Machine and kernel stay those of the bench: nothing here may stop or restart them, so the drain hook
# puts every switch off, systemctl does nothing, and the right to reboot is taken away.
set -eu
disk=$1 root=$2 lib=$3 account=$4 append=$5
mount --make-rprivate /
mount -t ext4 "/dev/${disk}p3" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755 bench "$root/run"
mkdir -p "$root/run/bench/hooks" "$root/run/warmboot/boot"
mount -t ext4 -o ro "/dev/${disk}p1" "$root/run/warmboot/boot"
cp "$append" "$root/run/bench/cmdline"
cp "$account" "$root/run/bench/account"
cat /proc/sys/kernel/random/uuid > "$root/run/bench/boot_id"
printf '#!/bin/sh\nexit 75\n' > "$root/run/bench/hooks/never"
chmod 755 "$root/run/bench/hooks/never"
mount --bind "$lib" "$root/usr/lib/warmboot"
mount --bind "$root/run/bench/cmdline" "$root/proc/cmdline"
mount --bind "$root/run/bench/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount --bind "$root/run/bench/hooks" "$root/etc/warmboot/pre-switch.d"
for program in bin/systemctl sbin/kexec sbin/reboot; do
  if [ -e "$root/usr/$program" ]; then mount --bind "$root/usr/bin/false" "$root/usr/$program"; fi
done
export WB_CONSOLE=/dev/null PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec setpriv --bounding-set=-sys_boot,-sys_module chroot "$root" /run/bench/account /usr/lib/warmboot/agent
