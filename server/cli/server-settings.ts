import type { Command } from 'commander';
import { baseUrl, listen, listenOrOff, path, pathList, yesOrNo } from './arguments.ts';
import { addProxyFlags, PROXY_VARIABLES, type ProxyFlags, proxySettings } from './proxy-settings.ts';
import { dataFolder, type GlobalOptions } from './session.ts';
import { contextLimit, setting } from './setting.ts';
import type { CliWorld, Listen, ServeOptions } from './world.ts';

/** What a server is told, by flags and by variables: for `serve`, and for `doctor`, which looks whether it could. */

export interface ServerFlags extends ProxyFlags {
  readonly bootListen?: Listen;
  readonly adminListen?: Listen;
  readonly tftpListen?: Listen | 'off';
  readonly tftpSinglePort?: boolean;
  readonly bootUrl?: string;
  readonly images?: string;
  readonly nbpDir?: readonly string[];
}

export function addServerFlags(command: Command): Command {
  const withPlanes = command
    .option('--boot-listen <address>', 'HTTP for firmware and hosts (default: 0.0.0.0:8080)', listen)
    .option('--admin-listen <address>', 'API for operators (default: 127.0.0.1:8081)', listen)
    .option('--tftp-listen <address>', 'TFTP for firmware, or off (default: 0.0.0.0:69)', listenOrOff)
    .option(
      '--tftp-single-port',
      'TFTP answers from its listening port only, for NAT, firewalls and containers (default: a port for each transfer)',
    )
    .option('--boot-url <url>', 'address of the boot plane as hosts see it', baseUrl)
    .option('--images <dir>', 'folder of the Dockerfiles (default: the one that comes with Warmboot)', path)
    .option(
      '--nbp-dir <dir>',
      'folder of network boot programs, looked into before /usr/lib/ipxe; may be repeated',
      (text: string, before: readonly string[] = []) => [...before, path(text)],
    );
  return addProxyFlags(withPlanes);
}

/** @throws CliError for a variable that cannot be read */
export function serverSettings(flags: ServerFlags, world: CliWorld, globals: GlobalOptions): ServeOptions {
  const tftp = flags.tftpListen ??
    setting(world, 'TFTP_LISTEN', listenOrOff) ?? { host: '0.0.0.0', port: 69 };
  return {
    data: dataFolder(world, globals),
    images: flags.images ?? (world.env.WARMBOOT_IMAGES || null),
    bootListen: flags.bootListen ?? setting(world, 'BOOT_LISTEN', listen) ?? { host: '0.0.0.0', port: 8080 },
    adminListen: flags.adminListen ??
      setting(world, 'ADMIN_LISTEN', listen) ?? { host: '127.0.0.1', port: 8081 },
    tftpListen: tftp === 'off' ? null : tftp,
    tftpSinglePort: flags.tftpSinglePort ?? setting(world, 'TFTP_SINGLE_PORT', yesOrNo) ?? false,
    ...contextLimit(world),
    bootUrl: flags.bootUrl ?? setting(world, 'BOOT_URL', baseUrl) ?? null,
    nbpDirs: flags.nbpDir ?? setting(world, 'NBP_DIR', pathList) ?? [],
    proxyDhcp: proxySettings(flags, world),
  };
}

export const SERVER_VARIABLES = `Each flag has a variable, which it overrides: WARMBOOT_BOOT_LISTEN, WARMBOOT_ADMIN_LISTEN, WARMBOOT_TFTP_LISTEN,
WARMBOOT_TFTP_SINGLE_PORT (yes or no), WARMBOOT_BOOT_URL, WARMBOOT_IMAGES, WARMBOOT_NBP_DIR (with : between folders),
${PROXY_VARIABLES}.`;
