import type { Api } from '../../lab/api.ts';
import type { Feed } from '../../lab/feed.ts';
import type { Guest } from '../../lab/guest.ts';

/**
 * What a system says of itself once in each boot, when its agent has nothing more to tell the server. It does so by the host's own
 * files: any image will do.
 */
export type Figures = Readonly<Record<string, string>>;

const UNIT = `[Unit]
Description=What this boot left behind
[Service]
ExecStart=/bin/sh /etc/figures
`;

const SCRIPT = `run=/run/warmboot state=/run/warmboot/state boot=/run/warmboot/boot
# Whether this boot is told to its end: also one that is on no trial, which nobody confirms.
rests() {
  [ -e $run/announced ] && [ -z "$(ls $state/outbox)" ] && [ ! -e $state/trial ] || return 1
  [ -e $run/confirmed ] || ! grep -q warmboot.trial= /proc/cmdline
}
until rests; do sleep 0.5; done
sleep 3
figures='figures'
tell() { figures="$figures $1=$(printf %s "$2" | tr -s ' \\n' ',')"; }
memory() { sed -n "s/^$1: *\\([0-9]*\\).*/\\1/p" /proc/meminfo; }
# used FOLDER: the blocks of its filesystem that are in use, in KiB.
used() { df -k -P "$1" | awk 'NR == 2 { print $3 }'; }
count() { find "$@" -type f 2> /dev/null | wc -l; }
bytes() { find "$@" -type f -printf '%s\\n' 2> /dev/null | awk '{ sum += $1 } END { print sum + 0 }'; }
log() { dmesg | grep -c "$@"; }

tell slot "$(sed 's/.*warmboot.slot=\\([a-h]\\).*/\\1/' /proc/cmdline)"
tell kernel "$(uname -r)"
tell root "$(awk '$2 == "/" { type = $3 } END { print type }' /proc/mounts)"
tell id "$(cat /etc/machine-id)"
# What sshd would make at its first start.
key=/etc/ssh/ssh_host_played_key
if [ ! -s $key ]; then
  mkdir -p /etc/ssh
  { echo '-----BEGIN OPENSSH PRIVATE KEY-----'; head -c 24 /dev/urandom | od -An -tx1; echo '-----END OPENSSH PRIVATE KEY-----'; } > $key
  echo public > $key.pub
  chmod 600 $key
fi
tell key "$(sha256sum < $key | cut -c 1-16)"
tell confirmed "$(cut -d . -f 1 /proc/uptime)"
for name in MemTotal MemAvailable Slab SUnreclaim VmallocUsed KernelStack; do tell $name "$(memory $name)"; done
# What kernels hand on to each other from jump to jump: the firmware's memory map and what is kept out of it.
reserved=0
for range in $(sed -n 's/^ *\\([0-9a-f]*-[0-9a-f]*\\) : [Rr]eserved$/\\1/p' /proc/iomem); do
  reserved=$((reserved + 0x\${range#*-} - 0x\${range%-*} + 1))
done
tell reserved $reserved
tell map "$(ls /sys/firmware/memmap | wc -l)"
tell efi-map "$(ls /sys/firmware/efi/runtime-map 2> /dev/null | wc -l)"
tell efi-variables "$(ls /sys/firmware/efi/efivars 2> /dev/null | wc -l)"
tell words "$(wc -w < /proc/cmdline)"
tell trial-words "$(tr ' ' '\\n' < /proc/cmdline | grep -c warmboot.trial)"
# A filesystem that was not unmounted in order before the jump is mended at the next mount.
tell recovered "$(log -e 'recovery complete' -e 'orphan cleanup' -e 'Starting recovery' -e 'not properly unmounted')"
tell tainted "$(cat /proc/sys/kernel/tainted)"
tell failed "$(systemctl list-units --failed --no-legend --plain | awk '{ print $1 }')"
tell processes "$(ls /proc | grep -c '^[0-9]')"
tell agent "$(cat /sys/fs/cgroup/system.slice/warmboot-agent.service/cgroup.procs /sys/fs/cgroup/systemd/system.slice/warmboot-agent.service/cgroup.procs 2> /dev/null | wc -l)"
tell run-files "$(count $run -xdev)"
tell run-bytes "$(bytes $run -xdev)"
tell state-files "$(count $state)"
tell state-bytes "$(bytes $state)"
tell state-used "$(used $state)"
tell boot-files "$(count $boot)"
tell boot-bytes "$(bytes $boot)"
tell boot-used "$(used $boot)"
# The system's journal grows by 8 MiB at a time, up to a limit of its own.
journal=$(du -sk /var/log/journal 2> /dev/null | cut -f 1)
tell slot-used $(($(used /) - \${journal:-0}))
if grep -q ' /data ' /proc/mounts; then
  [ -e /data/production ] || { head -c 1048576 /dev/urandom > /data/production; sync; }
  tell data-files "$(count /data)"
  tell data-used "$(used /data)"
  tell data "$(sha256sum < /data/production | cut -c 1-16)"
fi
tell variables "$(grep -a '^[a-z_]*=' $boot/grub/grubenv | sort)"
printf '\\n%s end\\n' "$figures" > /dev/ttyS0
`;

/** Before the host is installed. */
export async function askForFigures(api: Api, mac: string): Promise<void> {
  await api.putFile(
    mac,
    'etc/systemd/system/warmboot-agent.service.d/figures.conf',
    '[Unit]\nWants=figures.service\n',
  );
  await api.putFile(mac, 'etc/systemd/system/figures.service', UNIT);
  await api.putFile(mac, 'etc/figures', SCRIPT);
}

/** Those of the boot that began after `since`. */
export async function figuresOf(
  feed: Feed,
  guest: Guest,
  since: number,
  timeoutMs: number,
): Promise<Figures> {
  const { line } = await feed.seen({
    source: 'serial',
    guest: guest.name,
    since,
    what: 'what the system says of itself',
    timeoutMs,
    match: (seen) => /^figures .* end$/.test(seen.line),
  });
  const pairs = line.split(' ').slice(1, -1);
  return Object.fromEntries(pairs.map((pair) => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]));
}
