/**
 * iPXE's name for what it was built for (`${buildarch}`: i386, x86_64, arm32, arm64, riscv32, riscv64, loong64) against
 * what the installer runs on. iPXE for BIOS is i386 on every processor; whether that one has 64 bits, the script asks it.
 */
const RUNS_ON = new Set(['x86_64', 'i386']);

/** @param buildarch empty from who does not say (a person with curl, TFTP): taken for x86 */
export function hasInstaller(buildarch: string): boolean {
  return buildarch === '' || RUNS_ON.has(buildarch);
}
