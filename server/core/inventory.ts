import { type Mac, parseMac } from './mac.ts';
import { meaningful, meaningfulUuid } from './placeholder.ts';

/** What a machine says of itself. `null` is "nobody knows", never "no". Texts come from firmware: they are shown, never run. */
export type Inventory = {
  readonly architecture: string;
  readonly firmware: {
    readonly kind: 'bios' | 'uefi';
    /** Of UEFI: 32 or 64. */
    readonly bits: number | null;
    readonly secureBoot: boolean | null;
  };
  readonly system: {
    readonly vendor: string | null;
    readonly product: string | null;
    readonly serial: string | null;
    readonly uuid: string | null;
  };
  readonly board: {
    readonly vendor: string | null;
    readonly product: string | null;
    readonly serial: string | null;
  };
  readonly cpu: { readonly model: string | null; readonly count: number };
  readonly memoryBytes: number;
  readonly disks: readonly DiskFacts[];
  readonly nics: readonly NicFacts[];
  /** The management controller. `source` says how it was found; `unknown`: nothing speaks for or against one. */
  readonly bmc: { readonly source: 'ipmi' | 'smbios' | 'unknown'; readonly address: string | null };
  readonly watchdog: boolean | null;
};

export type DiskFacts = {
  readonly name: string;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly bytes: number;
  readonly sectorBytes: number;
  readonly transport: string | null;
  readonly rotational: boolean | null;
  readonly content: 'empty' | 'warmboot' | 'foreign' | null;
};

export type NicFacts = {
  readonly name: string;
  readonly mac: Mac | null;
  readonly driver: string | null;
  /** `pci`, `usb`, `virtio`, … */
  readonly bus: string | null;
  readonly link: boolean | null;
  readonly speedMbps: number | null;
};

/** The same as it was sent: texts as firmware has them. */
export type SaidInventory = Omit<Inventory, 'nics'> & {
  readonly nics: readonly (Omit<NicFacts, 'mac'> & { readonly mac: string })[];
};

/** An inventory as it is kept: placeholders and addresses that no card can own become null. */
export function inventoryOf(said: SaidInventory): Inventory {
  const { system, board, cpu, bmc } = said;
  return {
    ...said,
    architecture: shown(said.architecture) ?? 'unknown',
    system: {
      vendor: told(system.vendor),
      product: told(system.product),
      serial: told(system.serial),
      uuid: meaningfulUuid(system.uuid),
    },
    board: { vendor: told(board.vendor), product: told(board.product), serial: told(board.serial) },
    cpu: { ...cpu, model: shown(cpu.model) },
    disks: said.disks.map((disk) => ({
      ...disk,
      model: shown(disk.model),
      serial: told(disk.serial),
      wwn: told(disk.wwn),
    })),
    nics: said.nics.map((nic) => ({
      ...nic,
      name: shown(nic.name) ?? 'unknown',
      mac: parseMac(nic.mac),
      driver: shown(nic.driver),
    })),
    bmc: { ...bmc, address: shown(bmc.address) },
  };
}

/** Most MACs that one host may have. */
const MAX_MACS = 16;

/**
 * The MACs that are this machine's: the one it reports by, then those of its cards. Cards on USB do not count: an adapter goes
 * from machine to machine, and many a BMC shows the same one in every server.
 */
export function macsOf(reportedBy: Mac, { nics }: Inventory): readonly Mac[] {
  const own = nics.flatMap(({ mac, bus }) => (mac === null || bus === 'usb' ? [] : [mac]));
  return [...new Set([reportedBy, ...own])].slice(0, MAX_MACS);
}

/** For people: `Dell Inc. PowerEdge R640, serial ABC123`. */
export function nameOfMachine({ system }: Inventory): string {
  const name = [system.vendor, system.product].filter((text) => text !== null).join(' ');
  return `${name || 'a machine of no known make'}, ${system.serial === null ? 'no serial' : `serial ${system.serial}`}`;
}

function shown(text: string | null): string | null {
  const clean = (text ?? '').replaceAll(UNPRINTABLE, ' ').replaceAll(/\s+/g, ' ').trim();
  return clean === '' ? null : clean;
}

function told(text: string | null): string | null {
  return meaningful(shown(text));
}

/** Control characters, those that turn the direction of writing, halves of surrogate pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}]/gu;
