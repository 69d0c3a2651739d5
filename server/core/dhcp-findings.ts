import { neededNbps } from './client-architecture.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What `doctor` makes of the answers to its questions on the wire. */

/** Who was asked for: each gets another answer, or should. */
export const ASKED_AS = ['BIOS firmware', 'UEFI firmware', 'iPXE'] as const;
export type AskedAs = (typeof ASKED_AS)[number];

/** One DHCPOFFER. */
export type HeardOffer = {
  readonly askedAs: AskedAs;
  /** Option 54, or the address that it came from. */
  readonly server: string;
  /** False for a proxy: it names a boot program and hands out nothing. */
  readonly givesAddress: boolean;
  /** Next server, or option 66; null: none, or the URL says it. */
  readonly bootServer: string | null;
  /** Null: none. */
  readonly bootFile: string | null;
};

/** All that was heard on one interface in `seconds`. */
export type HeardNetwork = {
  readonly interface: string;
  readonly seconds: number;
  readonly offers: readonly HeardOffer[];
};

/** This server, as the network should know it. */
export type OwnPlace = {
  readonly addresses: readonly string[];
  /** As hosts are told. */
  readonly bootUrl: string;
  /**
   * - `answers`  a running server answers everybody
   * - `limited`  it answers known hosts, and may not know this machine
   * - `planned`  it would, with the settings given
   * - `off`      neither
   */
  readonly proxy: 'answers' | 'limited' | 'planned' | 'off';
};

const CHECK = 'dhcp';
const TELL = 'Add --proxy-dhcp to "warmboot serve", or tell the DHCP server: docs/dhcp.md.';

/** The findings about one network. */
export function dhcpFindings(heard: HeardNetwork, own: OwnPlace): readonly Finding[] {
  const on = `on ${heard.interface}`;
  const givers = distinct(heard.offers.filter(({ givesAddress }) => givesAddress));
  if (givers.length === 0)
    return [
      problem(
        CHECK,
        `${on} no DHCP server offered an address in ${heard.seconds} s`,
        'Machines get no address there. Is a DHCP server on that network, and may it serve any machine? One on this very machine is not heard when it writes past the kernel, as ISC dhcpd and Kea do: look from another machine then. If this is not the boot network, name the one that is with --proxy-dhcp-interface.',
      ),
      ...proxyFindings(heard, own),
    ];
  const findings = [...rogueFindings(on, givers), ...proxyFindings(heard, own), ...bootFindings(heard, own)];
  if (findings.length > 0) return findings;
  return [ok(CHECK, `${on} ${givers.join(' and ')} hands out addresses, and ${summary(heard, own)}`)];
}

/** For one that could not be asked. @param why completes "… cannot be asked: " */
export function unaskedFinding(name: string, why: string, mend: string): Finding {
  return warning(CHECK, `the DHCP servers on ${name} cannot be asked: ${why}`, mend);
}

function rogueFindings(on: string, givers: readonly string[]): Finding[] {
  if (givers.length < 2) return [];
  return [
    warning(
      CHECK,
      `${on} ${givers.length} DHCP servers hand out addresses: ${givers.join(', ')}`,
      'Right for a pair that shares its work. Else one of them should not be there, and machines take whichever is quicker: find it by its address and turn it off.',
    ),
  ];
}

function proxyFindings({ interface: name, offers }: HeardNetwork, own: OwnPlace): Finding[] {
  if (own.proxy !== 'answers' || offers.some((offer) => !offer.givesAddress && isOwnServer(offer, own)))
    return [];
  return [
    problem(
      CHECK,
      `proxyDHCP of this server does not answer on ${name}`,
      'Look into the log of the server ("proxyDHCP waits for an interface"?). Does a firewall of this machine let UDP port 67 in?',
    ),
  ];
}

function bootFindings({ interface: name, offers }: HeardNetwork, own: OwnPlace): Finding[] {
  const naming = offers.filter(({ bootFile }) => bootFile !== null);
  const strangers = offers.filter((offer) => saysWhatToBoot(offer) && !leadsHere(offer, own));
  const findings: Finding[] = strangersByServer(strangers).map(({ server, files }) =>
    warning(
      CHECK,
      `on ${name} ${server} names another boot program: ${files.join('; ')}`,
      `Machines may take it instead of Warmboot's. Take the boot options (next-server, options 66 and 67) out of ${server}, or make them those of docs/dhcp.md.`,
    ),
  );
  const here = naming.filter((offer) => leadsHere(offer, own));
  if (here.length === 0 && strangers.length === 0 && own.proxy === 'off')
    return [problem(CHECK, `on ${name} no DHCP server names a boot program`, TELL)];
  return [...findings, ...loopFindings(name, here)];
}

/** One file name for all: iPXE is told to load what the firmware loads, itself. */
function loopFindings(name: string, here: readonly HeardOffer[]): Finding[] {
  const loops = here.filter(
    ({ askedAs, bootFile }) => askedAs === 'iPXE' && neededNbps().includes(fileName(bootFile)),
  );
  const [loop] = loops;
  if (!loop) return [];
  return [
    warning(
      CHECK,
      `on ${name} ${loop.server} tells iPXE to load ${loop.bootFile}, which is iPXE itself`,
      "It works as long as Warmboot's TFTP is asked, and for one kind of firmware. A rule for iPXE in the DHCP server, or --proxy-dhcp with no boot file there, does for all: docs/dhcp.md.",
    ),
  ];
}

function strangersByServer(strangers: readonly HeardOffer[]) {
  return distinct(strangers).map((server) => {
    const of = strangers.filter((offer) => offer.server === server);
    const files = of.map(({ askedAs, bootFile, bootServer }) => {
      if (bootFile === null) return `the one that it tells at port 4011 for ${askedAs}`;
      const from = bootServer !== null && !isUrl(bootFile) ? ` from ${bootServer}` : '';
      return `${bootFile}${from} for ${askedAs}`;
    });
    return { server, files };
  });
}

/** A proxy that names no file yet wants to be asked again, at port 4011. */
function saysWhatToBoot({ bootFile, givesAddress }: HeardOffer): boolean {
  return bootFile !== null || !givesAddress;
}

/** From here, and something that is served here. */
function leadsHere({ bootFile, bootServer, askedAs }: HeardOffer, { addresses, bootUrl }: OwnPlace): boolean {
  if (isUrl(bootFile))
    return bootFile === `${bootUrl}/boot.ipxe` || (bootFile?.startsWith(`${bootUrl}/boot/`) ?? false);
  const isServed = neededNbps().includes(fileName(bootFile)) || askedAs === 'iPXE';
  return isServed && bootServer !== null && addresses.includes(bootServer);
}

function summary({ offers }: HeardNetwork, own: OwnPlace): string {
  const told = ASKED_AS.flatMap((askedAs) => {
    const offer = offers.find((each) => each.askedAs === askedAs && each.bootFile !== null);
    return offer ? [`${askedAs} is told ${offer.bootFile}`] : [];
  });
  if (told.length > 0) return told.join(', ');
  switch (own.proxy) {
    case 'limited':
      return 'proxyDHCP of this server tells known hosts what to boot';
    case 'planned':
      return 'proxyDHCP will tell machines what to boot';
    default:
      return 'nobody is told what to boot';
  }
}

function isOwnServer({ server }: HeardOffer, { addresses }: OwnPlace): boolean {
  return addresses.includes(server);
}

function isUrl(bootFile: string | null): boolean {
  return bootFile !== null && /^[a-z]+:\/\//i.test(bootFile);
}

function fileName(bootFile: string | null): string {
  return bootFile?.split('/').at(-1) ?? '';
}

function distinct(offers: readonly HeardOffer[]): string[] {
  return [...new Set(offers.map(({ server }) => server))].sort();
}
