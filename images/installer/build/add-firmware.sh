#!/bin/sh
# add-firmware.sh TREE VERSION: what the modules in TREE name as their firmware, from this system's /lib/firmware; no more, and
# compressed one by one, as the kernel reads it: only what a machine asks for is ever unpacked. /tmp/no-firmware lists what is
# named and not to be had.
set -eu
tree=$1 version=$2
from=/usr/lib/firmware to=$tree/usr/lib/firmware
mkdir -p "$to"

find "$tree/usr/lib/modules/$version" -name '*.ko*' -exec modinfo -F firmware {} + | sort -u > /tmp/named
true > /tmp/no-firmware
while read -r name; do
  found=''
  # Some modules name a pattern, which the shell opens here.
  for file in "$from"/$name; do
    if [ ! -e "$file" ]; then continue; fi
    found=yes
    file=${file#"$from"/}
    mkdir -p "$to/$(dirname "$file")"
    # A link is another name of the same: a driver may ask for either.
    if [ -L "$from/$file" ]; then
      real=$(readlink -f "$from/$file") real=${real#"$from"/}
      mkdir -p "$to/$(dirname "$real")"
      ln -srf "$to/$real.zst" "$to/$file.zst"
      file=$real
    fi
    # The kernel wants to know the size beforehand, and no window larger than its own: from a file, not from a pipe.
    zstd -q -19 -f "$from/$file" -o "$to/$file.zst"
  done
  if [ -z "$found" ]; then echo "$name" >> /tmp/no-firmware; fi
done < /tmp/named
