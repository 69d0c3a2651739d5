#!/bin/sh
# pack.sh TREE OUT: the tree as a compressed cpio archive; the same tree gives the same bytes. Modules stay compressed
# one by one: the few that a machine needs are unpacked there, and level 19 would save 1 MB for half a minute.
set -eu
cd "$1"
find . -exec touch -h -d @0 {} +
find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0 | zstd -q -10 -T1 > "$2"
