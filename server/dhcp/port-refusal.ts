/** A port that proxyDHCP could not have; `code` of the system's error. */
export type PortRefusal = { readonly port: number; readonly code: string };

/** What is said of it, at the start and by `doctor`. @param owner who has it, where that is known */
export function refusalWords(
  { port, code }: PortRefusal,
  owner = 'another program',
): { readonly problem: string; readonly mend: string } {
  const problem = `proxyDHCP cannot listen on UDP port ${port}`;
  if (code === 'EACCES')
    return {
      problem: `${problem}: ports below 1024 need root`,
      mend: 'Start as root, or without --proxy-dhcp.',
    };
  return {
    problem: `${problem}: ${code === 'EADDRINUSE' ? `${owner} has it for itself` : code}`,
    mend: 'dnsmasq shares it with "bind-dynamic" in its configuration, Kea never does. Stop that program, or leave out --proxy-dhcp and let it name the boot files: docs/dhcp.md.',
  };
}
