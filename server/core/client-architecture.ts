/**
 * DHCP option 93, client system architecture (RFC 4578 2.1, IANA "Processor Architecture Types"), and the network boot
 * program (NBP) that each gets. One table for proxyDHCP, the documentation and `doctor`.
 */
export type NbpChoice =
  | { readonly transport: 'tftp' | 'http'; readonly name: string; readonly firmware: string }
  | { readonly refused: string };

/** BIOS gets `undionly.kpxe`: it uses the card's own driver, so it runs wherever PXE runs. UEFI gets iPXE with its own drivers. */
const TABLE = new Map<number, NbpChoice>([
  [0, { transport: 'tftp', name: 'undionly.kpxe', firmware: 'BIOS' }],
  [6, { refused: 'UEFI on 32-bit x86: Warmboot boots 64-bit kernels only' }],
  [7, { transport: 'tftp', name: 'ipxe.efi', firmware: 'UEFI x86-64' }],
  // 9 is "EBC" in the registry and x86-64 in the RFC's text: firmware follows either (RFC erratum 1625).
  [9, { transport: 'tftp', name: 'ipxe.efi', firmware: 'UEFI x86-64' }],
  [11, { transport: 'tftp', name: 'ipxe-arm64.efi', firmware: 'UEFI arm64' }],
  [15, { refused: 'UEFI HTTP boot on 32-bit x86: Warmboot boots 64-bit kernels only' }],
  [16, { transport: 'http', name: 'ipxe.efi', firmware: 'UEFI x86-64, HTTP' }],
  [19, { transport: 'http', name: 'ipxe-arm64.efi', firmware: 'UEFI arm64, HTTP' }],
]);

/** @param architecture the number in option 93; a client that sends none counts as 0 (RFC 4578: plain PXE). */
export function nbpFor(architecture: number): NbpChoice {
  return (
    TABLE.get(architecture) ?? { refused: `client architecture ${architecture} is not known to Warmboot` }
  );
}

/** The names that a server needs on disk to serve every architecture of the table. */
export function neededNbps(): string[] {
  return [...new Set([...TABLE.values()].flatMap((choice) => ('name' in choice ? [choice.name] : [])))];
}
