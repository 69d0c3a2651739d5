#!/bin/sh
# pack.sh TREE OUT: the tree as a compressed cpio archive; the same tree gives the same bytes.
set -eu
cd "$1"
find . -exec touch -h -d @0 {} +
find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0 | zstd -q -19 -T0 > "$2"
