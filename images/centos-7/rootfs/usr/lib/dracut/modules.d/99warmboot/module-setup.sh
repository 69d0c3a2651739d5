#!/bin/bash
# Asked by dracut: may it go in, what does it need, what does it bring.
check() { return 0; }
depends() { return 0; }
install() {
  # shellcheck disable=SC2154 # dracut says where this lies
  inst_hook emergency 90 "$moddir/back-to-firmware.sh"
}
