# shellcheck shell=sh
# kexec: from the boot partition's files only.

# load_slot SLOT COMMAND-LINE: the slot's kernel is ready for the jump; 1 when kexec refuses it.
load_slot() {
  local at
  at=$BOOT/warmboot/$1
  kexec -u > /dev/null 2>&1
  # -a tries the system call that also works under lockdown first; kexec-tools before 2.0.19 do not know it.
  # shellcheck disable=SC2086 # options
  kexec ${KEXEC_OPTIONS:-} -a -l "$at/vmlinuz" --initrd="$at/initrd.img" --command-line="$2" >> "$WB_RUN/log" 2>&1 \
    || kexec ${KEXEC_OPTIONS:-} -l "$at/vmlinuz" --initrd="$at/initrd.img" --command-line="$2" >> "$WB_RUN/log" 2>&1
}
