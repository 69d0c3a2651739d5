# MikroTik RouterOS 7.4 or newer as the network's DHCP server, with Warmboot as boot server. See docs/dhcp.md.
# Not tried here: written from the vendor's documentation. Reports are welcome (docs/hardware.md).
#
# Replace:  @SERVER@       Warmboot's address (TFTP :69 and HTTP)    10.0.0.1
#           @BOOT_PORT@    port of Warmboot's boot plane             8080
#           @DHCP_SERVER@  name of the DHCP server, `/ip dhcp-server print`          dhcp1
#           @POOL@         name of its address pool, `/ip pool print`                 dhcp
#           @NETWORK@      the network as in `/ip dhcp-server network print`          10.0.0.0/24

# The file names. Texts are s'…': without the s an address would be sent as four bytes.
/ip dhcp-server option
add name=warmboot-bios code=67 value="s'undionly.kpxe'"
add name=warmboot-uefi code=67 value="s'ipxe.efi'"
add name=warmboot-uefi-arm64 code=67 value="s'ipxe-arm64.efi'"
add name=warmboot-http code=67 value="s'http://@SERVER@:@BOOT_PORT@/boot/nbp/ipxe.efi'"
add name=warmboot-http-arm64 code=67 value="s'http://@SERVER@:@BOOT_PORT@/boot/nbp/ipxe-arm64.efi'"
add name=warmboot-ipxe code=67 value="s'http://@SERVER@:@BOOT_PORT@/boot.ipxe'"
add name=warmboot-http-client code=60 value="s'HTTPClient'"

/ip dhcp-server option sets
add name=warmboot-bios options=warmboot-bios
add name=warmboot-uefi options=warmboot-uefi
add name=warmboot-uefi-arm64 options=warmboot-uefi-arm64
add name=warmboot-http options=warmboot-http,warmboot-http-client
add name=warmboot-http-arm64 options=warmboot-http-arm64,warmboot-http-client
add name=warmboot-ipxe options=warmboot-ipxe

# Who is asking? iPXE's rule stands first, for it sends option 93 too.
/ip dhcp-server matcher
add name=warmboot-ipxe server=@DHCP_SERVER@ address-pool=@POOL@ code=77 value="iPXE" option-set=warmboot-ipxe
add name=warmboot-bios server=@DHCP_SERVER@ address-pool=@POOL@ code=93 value="0x0000" option-set=warmboot-bios
add name=warmboot-uefi-7 server=@DHCP_SERVER@ address-pool=@POOL@ code=93 value="0x0007" option-set=warmboot-uefi
add name=warmboot-uefi-9 server=@DHCP_SERVER@ address-pool=@POOL@ code=93 value="0x0009" option-set=warmboot-uefi
add name=warmboot-uefi-arm64 server=@DHCP_SERVER@ address-pool=@POOL@ code=93 value="0x000b" option-set=warmboot-uefi-arm64
add name=warmboot-http server=@DHCP_SERVER@ address-pool=@POOL@ code=93 value="0x0010" option-set=warmboot-http
add name=warmboot-http-arm64 server=@DHCP_SERVER@ address-pool=@POOL@ code=93 value="0x0013" option-set=warmboot-http-arm64

/ip dhcp-server network
set [find address=@NETWORK@] next-server=@SERVER@
