import type { Command } from 'commander';
import {
  baseUrl,
  listen,
  listenOrOff,
  logLevel,
  path,
  pathList,
  wholeSeconds,
  yesOrNo,
} from './arguments.ts';
import { addEventFlags, EVENT_VARIABLES, type EventFlags, eventSettings } from './event-settings.ts';
import { addLimitFlags, LIMIT_VARIABLES, type LimitFlags, limitSettings } from './limit-settings.ts';
import { addPowerFlags, POWER_VARIABLES, type PowerFlags, powerSettings } from './power-settings.ts';
import { addProxyFlags, PROXY_VARIABLES, type ProxyFlags, proxySettings } from './proxy-settings.ts';
import { dataFolder, type GlobalOptions } from './session.ts';
import { contextLimit, setting } from './setting.ts';
import {
  addTlsFlags,
  adminTlsSettings,
  agentTlsSettings,
  TLS_VARIABLES,
  type TlsFlags,
} from './tls-settings.ts';
import type { CliWorld, Listen, ServeOptions } from './world.ts';

/** What a server is told, by flags and by variables: for `serve`, and for `doctor`, which looks whether it could. */

export interface ServerFlags extends ProxyFlags, TlsFlags, LimitFlags, PowerFlags, EventFlags {
  readonly bootListen?: Listen;
  readonly adminListen?: Listen;
  readonly metricsListen?: Listen | 'off';
  readonly stopTimeout?: number;
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
    .option(
      '--metrics-listen <address>',
      '/metrics, /healthz and /readyz without a token, for a monitor (default: off)',
      listenOrOff,
    )
    .option(
      '--stop-timeout <seconds>',
      'how long running transfers may take to end when the server is stopped (default: 60)',
      wholeSeconds,
    )
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
  return addEventFlags(addProxyFlags(addTlsFlags(addLimitFlags(addPowerFlags(withPlanes)))));
}

/** @throws CliError for a variable that cannot be read */
export function serverSettings(flags: ServerFlags, world: CliWorld, globals: GlobalOptions): ServeOptions {
  const metrics = flags.metricsListen ?? setting(world, 'METRICS_LISTEN', listenOrOff) ?? 'off';
  const tftp = flags.tftpListen ??
    setting(world, 'TFTP_LISTEN', listenOrOff) ?? { host: '0.0.0.0', port: 69 };
  return {
    data: dataFolder(world, globals),
    images: flags.images ?? (world.env.WARMBOOT_IMAGES || null),
    bootListen: flags.bootListen ?? setting(world, 'BOOT_LISTEN', listen) ?? { host: '0.0.0.0', port: 8080 },
    adminListen: flags.adminListen ??
      setting(world, 'ADMIN_LISTEN', listen) ?? { host: '127.0.0.1', port: 8081 },
    metricsListen: metrics === 'off' ? null : metrics,
    stopTimeoutSeconds: flags.stopTimeout ?? setting(world, 'STOP_TIMEOUT', wholeSeconds) ?? 60,
    logLevel: setting(world, 'LOG', logLevel) ?? 'info',
    adminTls: adminTlsSettings(flags, world),
    tftpListen: tftp === 'off' ? null : tftp,
    tftpSinglePort: flags.tftpSinglePort ?? setting(world, 'TFTP_SINGLE_PORT', yesOrNo) ?? false,
    agent: agentTlsSettings(flags, world),
    ...contextLimit(world),
    bootUrl: flags.bootUrl ?? setting(world, 'BOOT_URL', baseUrl) ?? null,
    nbpDirs: flags.nbpDir ?? setting(world, 'NBP_DIR', pathList) ?? [],
    powerHook: powerSettings(flags, world),
    limits: limitSettings(flags, world),
    events: eventSettings(flags, world),
    proxyDhcp: proxySettings(flags, world),
  };
}

export const SERVER_VARIABLES = `Each flag has a variable, which it overrides: WARMBOOT_BOOT_LISTEN, WARMBOOT_ADMIN_LISTEN, WARMBOOT_TFTP_LISTEN,
WARMBOOT_TFTP_SINGLE_PORT (yes or no), WARMBOOT_METRICS_LISTEN, WARMBOOT_STOP_TIMEOUT, WARMBOOT_BOOT_URL, WARMBOOT_IMAGES, WARMBOOT_NBP_DIR (with : between folders),
${POWER_VARIABLES},
${LIMIT_VARIABLES},
${EVENT_VARIABLES}, ${PROXY_VARIABLES},
${TLS_VARIABLES}.`;
