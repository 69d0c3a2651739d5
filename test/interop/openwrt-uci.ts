import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** Plays `uci` and the part of OpenWrt's start script that turns sections `match` and `boot` into dnsmasq's options. */

const UCI = `#!/bin/sh
while [ "\${1#-}" != "$1" ]; do shift; done
printf '%s\\n' "$*" >> "$UCI_LOG"
`;

type Section = {
  type: string;
  readonly options: Record<string, string>;
  readonly lists: Record<string, string[]>;
};

/** @param script what an operator runs on the router; its last line, the restart of dnsmasq, is left out */
export async function openwrtRules(script: string): Promise<string> {
  const rules = [...(await sections(script)).values()].flatMap(rendered);
  return `${rules.join('\n')}\n`;
}

async function sections(script: string): Promise<Map<string, Section>> {
  const folder = await mkdtemp(join(tmpdir(), 'warmboot-uci-'));
  const log = join(folder, 'log');
  await writeFile(join(folder, 'uci'), UCI, { mode: 0o755 });
  const steps = script.replace(/^\/etc\/init\.d\/dnsmasq restart$/m, '');
  await execa('sh', { input: steps, env: { PATH: `${folder}:${process.env.PATH}`, UCI_LOG: log } });
  const calls = await readFile(log, 'utf8');
  await rm(folder, { recursive: true });

  const all = new Map<string, Section>();
  for (const call of calls.trim().split('\n')) {
    const [, verb, name = '', key, value = ''] = /^(\w+) dhcp\.(\w+)(?:\.(\w+))?(?:=(.*))?$/.exec(call) ?? [];
    const section = all.get(name) ?? { type: '', options: {}, lists: {} };
    all.set(name, section);
    if (verb === 'set' && key === undefined) section.type = value;
    else if (verb === 'set' && key) section.options[key] = value;
    else if (verb === 'delete' && key) delete section.lists[key];
    else if (verb === 'add_list' && key) section.lists[key] = [...(section.lists[key] ?? []), value];
    else if (call !== 'commit dhcp') throw new Error(`uci does not know: ${call}`);
  }
  return all;
}

/** As in OpenWrt's package/network/services/dnsmasq/files/dnsmasq.init (22.03 to 24.10): `dhcp_match_add`, `dhcp_boot_add`. */
function rendered({ type, options, lists }: Section): string[] {
  const { networkid, match, filename, servername, serveraddress, force } = options;
  const extra = (lists.dhcp_option ?? []).map(
    (option) => `dhcp-option${force === '1' ? '-force' : ''}=${networkid},${option}`,
  );
  if (type === 'match') return [`dhcp-match=set:${networkid},${match}`, ...extra];
  if (type !== 'boot' || !servername) return [];
  return [`dhcp-boot=net:${networkid},${filename},${servername},${serveraddress}`, ...extra];
}
