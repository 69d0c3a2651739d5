/**
 * The dumbest network: its DHCP server knows one boot file name and cannot tell iPXE from firmware. BIOS iPXE, started by
 * `undionly.kpxe`, is then told to load `undionly.kpxe`, for ever. UEFI iPXE gets out by asking for `autoexec.ipxe`; BIOS iPXE
 * must be recognised by how it asks.
 *
 * Not at the first time, though: a card whose ROM is iPXE asks in the same way, and may need the NBP (an old ROM without
 * HTTP). So an address that asks as iPXE gets the NBP once and the script the next time, and then begins anew, for the next boot. Behind
 * NAT many machines are one address and their turns mix; each of them still ends at a script after a few NBPs.
 */

/** Addresses which asked as iPXE and were given an NBP, with the time; the oldest first. */
export type NbpsGiven = ReadonlyMap<string, number>;

type NbpRequest = {
  /** Of the client, without port: iPXE takes another port for every request. */
  readonly address: string;
  readonly name: string;
  /** TFTP options in the order of the request. */
  readonly options: readonly (readonly [name: string, value: string])[];
};

/** From the NBP's transfer to its own request: its start and one DHCP exchange, on a slow machine with a slow switch. */
const LOOP_MS = 5 * 60_000;
/** More are forgotten, oldest first: those machines load the NBP once more. */
const MAX_ADDRESSES = 4096;

/** NBPs which are a BIOS iPXE: what a DHCP server with one file name may be set to. */
const BIOS_IPXE = new Set(['undionly.kpxe', 'undionly.kkpxe', 'ipxe.pxe', 'ipxe.lkrn']);

/**
 * Says whether this request for an NBP is answered with the script instead.
 * @param atMs milliseconds of a clock that does not go back
 */
export function breakLoop(
  given: NbpsGiven,
  request: NbpRequest,
  atMs: number,
): { readonly script: boolean; readonly given: NbpsGiven } {
  if (!BIOS_IPXE.has(request.name) || !asksAsIpxe(request.options)) return { script: false, given };
  const next = new Map(given);
  const before = next.get(request.address);
  next.delete(request.address);
  if (before !== undefined && atMs - before < LOOP_MS) return { script: true, given: next };
  next.set(request.address, atMs);
  for (const [address, since] of next) {
    if (atMs - since < LOOP_MS && next.size <= MAX_ADDRESSES) break;
    next.delete(address);
  }
  return { script: false, given: next };
}

/** As seen on the wire from Debian's 1.21.1: these two options, in this order. No firmware asks so. */
function asksAsIpxe(options: NbpRequest['options']): boolean {
  return options.map((option) => option.join(' ')).join(', ') === 'blksize 1432, tsize 0';
}
