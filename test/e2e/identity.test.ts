import { afterAll, beforeAll, expect, test } from 'vitest';
import { SERVER_ADDRESS } from '../../lab/network.ts';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { image, newGuest, startRack } from './support.ts';
import { told } from './told.ts';

/**
 * A host with files of its own stays the same host on both slots and over a reinstall. The guest is looked into by its own means:
 * one of the files is a health hook, which runs once in each boot and writes what it sees to the serial port.
 */

const FIRST = 'debian-13';
/** One whose initrd is initramfs-tools', and with `--all` one whose initrd is dracut's, with systemd in it. */
const SECONDS = ['debian-12', ...(runsAll() ? ['debian-dracut'] : [])];
const NAME = 'node-7';
const ADDRESS = '192.0.2.77';

const HOOK = `#!/bin/sh
[ ! -e /run/told ] || exit 0
: > /run/told
# What a first boot makes for itself: sshd its keys, a person the name. Only where it is not there yet.
key=/etc/ssh/ssh_host_played_key
made=kept
if [ ! -s "$key" ]; then
  made=new
  mkdir -p /etc/ssh
  { echo '-----BEGIN OPENSSH PRIVATE KEY-----'; od -An -N24 -tx1 /dev/urandom; echo '-----END OPENSSH PRIVATE KEY-----'; } > "$key"
  echo public > "$key.pub"
fi
name=$(cat /proc/sys/kernel/hostname)
[ -s /etc/hostname ] || echo ${NAME} > /etc/hostname
set -- $(sed 's/.*warmboot.slot=\\([a-h]\\).*/\\1/' /proc/cmdline) "$(cat /etc/machine-id)" "$(sha256sum < $key | cut -c 1-16)" "$made" "$name"
address=$(ip -4 -o address show | grep -c '${ADDRESS}/')
file=$(stat -c %a:%U /root/.ssh/authorized_keys)
seed=$(cat /var/lib/cloud/seed/nocloud/meta-data)
set=$(cat /etc/set)
# Who came first: the file, or the program that it is for.
started=$(date -d "$(systemctl show -p ExecMainStartTimestamp systemd-networkd | cut -d = -f 2)" +%s)
before=$([ "$(stat -c %Y /etc/systemd/network/10-lan.network)" -le "$started" ] && echo yes || echo no)
echo "told slot=$1 id=$2 key=$3 made=$4 name=$5 address=$address file=$file seed=$seed before=$before set=$set pid1=$(cat /proc/1/comm) end" > /dev/ttyS0
`;

let rack: Rack;
beforeAll(async () => {
  rack = await startRack('identity');
});
afterAll(() => rack?.close());

test.each(SECONDS)(
  'machine-id, host key, name and files are the same on %s as before and after a reinstall, and strangers get nothing',
  async (name) => {
    const [first, second] = [image(FIRST), image(name)];
    const { guest, story } = await newGuest(rack, `node-${name}`);
    const put = (path: string, content: string, mode?: string) =>
      rack.api.putFile(guest.mac, path, content, mode);
    await story.enrol(first);
    await put('etc/warmboot/health.d/50-tell', HOOK, '0755');
    await put(
      'etc/systemd/network/10-lan.network',
      `[Match]\nName=en* eth*\n[Network]\nDHCP=yes\nAddress=${ADDRESS}/32\n[DHCPv4]\nClientIdentifier=mac\n`,
    );
    await put('root/.ssh/authorized_keys', 'ssh-ed25519 AAAA operator\n', '0600');
    await put('seed/user-data', '#cloud-config\n{}\n', '0600');
    await put('etc/set', 'one');
    const { set } = await rack.api.files(guest.mac);

    let since = rack.feed.mark();
    const installed = await story.install(first);
    const one = await told(rack, guest, since);
    expect(one).toMatchObject({
      slot: 'a',
      made: 'new',
      address: '1',
      file: '600:root',
      seed: `instance-id: warmboot-${one.id}`,
      before: 'yes',
      set: 'one',
      pid1: 'systemd',
    });
    expect(one.id).toMatch(/^[0-9a-f]{32}$/);

    const url = `http://${SERVER_ADDRESS}:8080/boot/hosts/${guest.mac}/files/${set?.sha256}`;
    for (const authorization of ['', 'Bearer 00', `Bearer ${'0'.repeat(64)}`]) {
      const answer = await fetch(url, { headers: authorization === '' ? {} : { authorization } });
      expect(answer.status).toBe(401);
      expect(await answer.text()).not.toContain('ssh-ed25519');
    }

    await put('etc/set', 'two');
    since = rack.feed.mark();
    await story.reassign(second, { download: true, before: installed });
    const two = await told(rack, guest, since);
    const same = {
      id: one.id,
      key: one.key,
      made: 'kept',
      name: NAME,
      address: '1',
      file: '600:root',
      before: 'yes',
    };
    expect(two).toMatchObject({ ...same, slot: 'b', set: 'two' });

    since = rack.feed.mark();
    await rack.api.reinstall(guest.mac);
    const three = await told(rack, guest, since, 240);
    expect(three).toMatchObject({ ...same, slot: 'a', set: 'two' });
  },
);
