import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import type { Exchange, Outcome } from './dhcp-exchange.ts';
import { type Answer, type Client, firmware, ipxe } from './dhcp-packets.ts';
import { SERVER, SERVERS, type Setup } from './dhcp-servers.ts';

/** The documented configurations, read by the real DHCP servers: what each kind of client is told. */

const CLIENTS = {
  'BIOS (0)': firmware(1, 0),
  'UEFI x86-64 (7)': firmware(2, 7),
  'UEFI x86-64 (9)': firmware(3, 9),
  'UEFI arm64 (11)': firmware(4, 11),
  'HTTP boot x86-64 (16)': firmware(5, 16, 'HTTPClient'),
  'HTTP boot arm64 (19)': firmware(6, 19, 'HTTPClient'),
  'iPXE on BIOS': ipxe(7, 0),
  'iPXE on UEFI x86-64': ipxe(8, 7),
  'iPXE on UEFI arm64': ipxe(9, 11),
  'UEFI on 32-bit x86 (6)': firmware(10, 6),
};
type Name = keyof typeof CLIENTS;
const NAMES = Object.keys(CLIENTS) as Name[];

type Told = { readonly bootFile: string; readonly nextServer: string | null; readonly class: string | null };
const pxe = (bootFile: string): Told => ({ bootFile, nextServer: SERVER, class: null });
// A URL names its server; what stands in `siaddr` beside it does not matter.
const url = (path: string, vendorClass: string | null): Told => ({
  bootFile: `http://${SERVER}:8080${path}`,
  nextServer: null,
  class: vendorClass,
});

/** docs/dhcp.md, "Who gets what". */
const WANTED: Readonly<Record<Name, Told>> = {
  'BIOS (0)': pxe('undionly.kpxe'),
  'UEFI x86-64 (7)': pxe('ipxe.efi'),
  'UEFI x86-64 (9)': pxe('ipxe.efi'),
  'UEFI arm64 (11)': pxe('ipxe-arm64.efi'),
  'HTTP boot x86-64 (16)': url('/boot/nbp/ipxe.efi', 'HTTPClient'),
  'HTTP boot arm64 (19)': url('/boot/nbp/ipxe-arm64.efi', 'HTTPClient'),
  'iPXE on BIOS': url('/boot.ipxe', null),
  'iPXE on UEFI x86-64': url('/boot.ipxe', null),
  'iPXE on UEFI arm64': url('/boot.ipxe', null),
  'UEFI on 32-bit x86 (6)': { bootFile: '', nextServer: null, class: null },
};

const told = ({ bootFile, nextServer, options }: Answer, by: string | null): Told => ({
  bootFile,
  nextServer: by && nextServer,
  class: options[60] === undefined ? null : Buffer.from(options[60], 'hex').toString('latin1'),
});

/** Offer and acknowledgement say the same, and what is wanted. */
function expectTold(outcome: Outcome | undefined, wanted: Told, said: string): void {
  if (!outcome?.offer || !outcome.ack) throw new Error(`no answer; the server said:\n${said}`);
  expect(outcome.ack.address).toMatch(/^10\.77\.0\.1\d\d$/);
  expect(told(outcome.offer, wanted.nextServer)).toEqual(wanted);
  expect(told(outcome.ack, wanted.nextServer)).toEqual(wanted);
}

async function exchange(setup: Setup, clients: readonly Client[]) {
  const asked: Exchange = { ...setup, clients };
  const inside = [inCheckout('test/interop/dhcp-exchange.ts')];
  const { stdout } = await execa(
    'unshare',
    ['--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--', process.execPath, ...inside],
    { input: JSON.stringify(asked), timeout: 500_000 },
  );
  return JSON.parse(stdout) as { readonly outcomes: readonly Outcome[]; readonly said: string };
}

describe.each(Object.entries(SERVERS))('%s', (_, server) => {
  let folder: string;
  let example: Awaited<ReturnType<typeof exchange>>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warmboot-dhcp-'));
    example = await exchange(await server.example(folder), Object.values(CLIENTS));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each(NAMES)('%s', (name) => {
    expectTold(example.outcomes[NAMES.indexOf(name)], WANTED[name], example.said);
  });

  test('one file name for all', async () => {
    const own = await mkdtemp(join(folder, 'one-name-'));
    const { outcomes, said } = await exchange(await server.oneName(own), [firmware(1, 7), ipxe(2, 7)]);
    for (const outcome of outcomes) expectTold(outcome, pxe('ipxe.efi'), said);
  });
});
