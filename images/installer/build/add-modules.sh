#!/bin/sh
# add-modules.sh TREE MODULES: from /lib/modules/VERSION what an installer can need: every wired network card, every
# disk controller, keyboards, watchdogs, management controllers, and the filesystems it needs; each with the modules it depends on.
set -eu
tree=$1 modules=$2
version=$(basename "$modules")
to=$tree/usr/lib/modules/$version
mkdir -p "$to"
depmod -b "${modules%/lib/modules/*}" "$version"
cp "$modules/modules.order" "$modules/modules.builtin" "$modules/modules.builtin.modinfo" "$to"

cd "$modules"
{
  find kernel/drivers/net/ethernet kernel/drivers/net/phy kernel/drivers/net/mdio kernel/drivers/ata \
    kernel/drivers/scsi kernel/drivers/message kernel/drivers/nvme/host kernel/drivers/usb/host \
    kernel/drivers/usb/storage kernel/drivers/watchdog kernel/drivers/char/ipmi kernel/drivers/virtio kernel/drivers/hid/usbhid kernel/fs/fat -name '*.ko*'
  find kernel -name 'virtio_net.ko*' -o -name 'virtio_blk.ko*' -o -name 'net_failover.ko*' -o -name 'hv_netvsc.ko*' \
    -o -name 'hv_storvsc.ko*' -o -name 'hv_vmbus.ko*' -o -name 'vmd.ko*' -o -name 'mmc_block.ko*' -o -name 'sdhci-pci.ko*' \
    -o -name 'vmxnet3.ko*' -o -name 'xen-netfront.ko*' -o -name 'xen-blkfront.ko*' -o -name 'hid-generic.ko*' \
    -o -name 'ext4.ko*' -o -name 'nls_ascii.ko*' -o -name 'nls_cp437.ko*' -o -name 'nls_iso8859-1.ko*' -o -name 'nls_utf8.ko*' \
    -o -name 'crc32c*.ko*' -o -name 'ice.ko*' -o -name 'failover.ko*' -o -name 'af_packet.ko*' \
    -o -name 'efivarfs.ko*' -o -name 'lpc_ich.ko*' -o -name 'i2c-i801.ko*'
} | sed '/\/pcmcia\//d; /scsi_debug/d; /softdog/d; /\/iscsi/d; /libfc\.\|\/fcoe\//d' | sort -u > /tmp/wanted

# modules.dep already names everything a module needs, however deep.
awk 'NR == FNR { want[$1]; next } { name = $1; sub(/:$/, "", name) } name in want { for (i = 1; i <= NF; i++) { sub(/:$/, "", $i); print $i } }' \
  /tmp/wanted modules.dep | sort -u | while read -r file; do
    mkdir -p "$to/$(dirname "$file")"
    cp "$file" "$to/$file"
  done
depmod -b "$tree/usr" "$version"
