import { existsSync } from 'node:fs';

const ARM_PAIR = ['/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd', '/usr/share/AAVMF/AAVMF_VARS.fd'] as const;

/** Debian 12, 13 and Ubuntu carry the 4 MiB build; older ones only the other. */
const OVMF_PAIRS = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
] as const;

export interface Ovmf {
  readonly code: string;
  /** To be copied: a machine's firmware settings live in its own copy. */
  readonly variables: string;
}

export function findOvmf(): Ovmf {
  for (const [code, variables] of OVMF_PAIRS) if (existsSync(code)) return { code, variables };
  throw new Error(
    'there is no OVMF firmware on this machine: install the package ovmf, or use --firmware bios',
  );
}

/** The same firmware for arm64 machines; only the tests have those. */
export function findArmFirmware(): Ovmf {
  const [code, variables] = ARM_PAIR;
  if (existsSync(code)) return { code, variables };
  throw new Error(
    'there is no UEFI firmware for arm64 on this machine: install the package qemu-efi-aarch64',
  );
}
