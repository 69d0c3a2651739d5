#!/bin/sh
# add-programs.sh TREE PROGRAM…: copies programs and the shared libraries they need, at their own paths.
set -eu
tree=$1
shift
for program in "$@"; do
  path=$(command -v "$program")
  { echo "$path"; ldd "$path" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) { print $i; break } }'; } \
    | while read -r file; do
        mkdir -p "$tree$(dirname "$file")"
        cp -Ln "$file" "$tree$file" 2> /dev/null || [ -e "$tree$file" ]
      done
done
