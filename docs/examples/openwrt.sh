#!/bin/sh
# An OpenWrt router as the network's DHCP server, with Warmboot as boot server: adds the boot rules to its dnsmasq, and leaves
# the address pools as they are. Run it on the router; a second run changes nothing. See docs/dhcp.md.
#
# Replace:  @SERVER@       Warmboot's address (TFTP :69 and HTTP)    10.0.0.1
#           @BOOT_PORT@    port of Warmboot's boot plane             8080
set -eu

# match NAME SECTION-NAME WHAT: gives clients that send this option the tag NAME.
match() {
  uci set "dhcp.warmboot_match_$2=match"
  uci set "dhcp.warmboot_match_$2.networkid=$1"
  uci set "dhcp.warmboot_match_$2.match=$3"
}

# boot NAME TAGS FILE: clients with these tags get this file.
boot() {
  uci set "dhcp.warmboot_boot_$1=boot"
  uci set "dhcp.warmboot_boot_$1.networkid=$2"
  uci set "dhcp.warmboot_boot_$1.filename=$3"
  # OpenWrt leaves out a rule that has an address and no name.
  uci set "dhcp.warmboot_boot_$1.servername=warmboot"
  uci set "dhcp.warmboot_boot_$1.serveraddress=@SERVER@"
}

# UEFI HTTP boot takes an answer only if option 60 says HTTPClient.
http() {
  uci set "dhcp.warmboot_match_$1.force=1"
  uci -q delete "dhcp.warmboot_match_$1.dhcp_option" || true
  uci add_list "dhcp.warmboot_match_$1.dhcp_option=60,HTTPClient"
}

# Who is asking? Option 93 names the firmware; option 175 says that iPXE has taken over already.
match bios bios option:client-arch,0
match uefi uefi7 option:client-arch,7
match uefi uefi9 option:client-arch,9
match uefi-arm64 uefi_arm64 option:client-arch,11
match http http option:client-arch,16
http http
match http-arm64 http_arm64 option:client-arch,19
http http_arm64
match ipxe ipxe 175

# Firmware gets the network boot program for its kind, iPXE the entry script.
boot bios 'bios,tag:!ipxe' undionly.kpxe
boot uefi 'uefi,tag:!ipxe' ipxe.efi
boot uefi_arm64 'uefi-arm64,tag:!ipxe' ipxe-arm64.efi
boot http 'http,tag:!ipxe' 'http://@SERVER@:@BOOT_PORT@/boot/nbp/ipxe.efi'
boot http_arm64 'http-arm64,tag:!ipxe' 'http://@SERVER@:@BOOT_PORT@/boot/nbp/ipxe-arm64.efi'
boot ipxe ipxe 'http://@SERVER@:@BOOT_PORT@/boot.ipxe'

uci commit dhcp
/etc/init.d/dnsmasq restart
