# Windows Server (2012 or newer) as the network's DHCP server, with Warmboot as boot server. See docs/dhcp.md.
# Not tried here: written from the vendor's documentation. Reports are welcome (docs/hardware.md).
#
# Run as administrator on the DHCP server:  .\windows-dhcp.ps1 -Server 10.0.0.1 -ScopeId 10.0.0.0
param(
  [Parameter(Mandatory)] [string] $Server,
  [Parameter(Mandatory)] [string] $ScopeId,
  [int] $BootPort = 8080
)
$ErrorActionPreference = 'Stop'
$http = "http://${Server}:${BootPort}"

# Option 60 is no option of Windows' own until it is defined.
if (-not (Get-DhcpServerv4OptionDefinition -OptionId 60 -ErrorAction SilentlyContinue)) {
  Add-DhcpServerv4OptionDefinition -OptionId 60 -Name 'Vendor class identifier' -Type String
}

# Who is asking? iPXE by its user class; firmware by its vendor class, which begins with the architecture of option 93.
# The policy with the lowest order wins where two of them set the same option: iPXE's.
Add-DhcpServerv4Class -Name 'iPXE' -Type User -Data 'iPXE'
$rows = @(
  @{ Name = 'Warmboot UEFI 7';           Vendor = 'PXEClient:Arch:00007';  File = 'ipxe.efi' },
  @{ Name = 'Warmboot UEFI 9';           Vendor = 'PXEClient:Arch:00009';  File = 'ipxe.efi' },
  @{ Name = 'Warmboot UEFI arm64';       Vendor = 'PXEClient:Arch:00011';  File = 'ipxe-arm64.efi' },
  @{ Name = 'Warmboot BIOS';             Vendor = 'PXEClient:Arch:00000';  File = 'undionly.kpxe' },
  @{ Name = 'Warmboot HTTP boot x86-64'; Vendor = 'HTTPClient:Arch:00016'; File = "$http/boot/nbp/ipxe.efi" },
  @{ Name = 'Warmboot HTTP boot arm64';  Vendor = 'HTTPClient:Arch:00019'; File = "$http/boot/nbp/ipxe-arm64.efi" }
)

$order = 1
Add-DhcpServerv4Policy -Name 'Warmboot iPXE' -ScopeId $ScopeId -ProcessingOrder $order -Condition OR -UserClass EQ, 'iPXE'
Set-DhcpServerv4OptionValue -ScopeId $ScopeId -PolicyName 'Warmboot iPXE' -OptionId 67 -Value "$http/boot.ipxe"

foreach ($row in $rows) {
  $order++
  Add-DhcpServerv4Class -Name $row.Name -Type Vendor -Data $row.Vendor
  # The star: real clients send more behind it, as in PXEClient:Arch:00007:UNDI:003016.
  Add-DhcpServerv4Policy -Name $row.Name -ScopeId $ScopeId -ProcessingOrder $order -Condition OR -VendorClass EQ, "$($row.Name)*"
  Set-DhcpServerv4OptionValue -ScopeId $ScopeId -PolicyName $row.Name -OptionId 66 -Value $Server
  Set-DhcpServerv4OptionValue -ScopeId $ScopeId -PolicyName $row.Name -OptionId 67 -Value $row.File
  if ($row.Vendor.StartsWith('HTTPClient')) {
    Set-DhcpServerv4OptionValue -ScopeId $ScopeId -PolicyName $row.Name -OptionId 60 -Value 'HTTPClient'
  }
}
