import { type Command, InvalidArgumentError } from 'commander';
import { baseUrl, listen, path, yesOrNo } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { setting } from './setting.ts';
import type { CliWorld, Listen, ServeOptions } from './world.ts';

/** What a server is told about TLS. */

export interface TlsFlags {
  readonly adminTls?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly agentListen?: Listen;
  readonly agentUrl?: string;
  readonly agentPlain?: boolean;
}

export function addTlsFlags(command: Command): Command {
  return command
    .option(
      '--admin-tls',
      'the admin plane speaks HTTPS, with a certificate made at the first start; DATA/keys/tls/ca.pem verifies it',
    )
    .option(
      '--tls-cert <file>',
      "HTTPS for the admin plane with the operator's own certificate and chain (PEM); loaded anew when it changes",
      path,
    )
    .option('--tls-key <file>', 'its private key (PEM)', path)
    .option(
      '--agent-listen <address>',
      'HTTPS for installers and agents; firmware stays with plain HTTP',
      listen,
    )
    .option('--agent-url <url>', 'its address as hosts see it (default: the host of the boot URL)', httpsUrl)
    .option('--agent-plain', 'hosts whose agent is too old for TLS may go on by plain HTTP');
}

/** @throws CliError for a certificate without a key, and for a variable that cannot be read */
export function adminTlsSettings(flags: TlsFlags, world: CliWorld): ServeOptions['adminTls'] {
  const certFile = flags.tlsCert ?? setting(world, 'TLS_CERT', path);
  const keyFile = flags.tlsKey ?? setting(world, 'TLS_KEY', path);
  const isWanted = flags.adminTls ?? setting(world, 'ADMIN_TLS', yesOrNo);
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new CliError('A certificate and its key belong together: give --tls-cert and --tls-key.', 2);
  if (certFile !== undefined && keyFile !== undefined) {
    if (isWanted === false)
      throw new CliError('WARMBOOT_ADMIN_TLS is no, and a certificate was named for it. Leave one out.', 2);
    return { files: { certFile, keyFile } };
  }
  return isWanted ? { files: null } : null;
}

/** @throws CliError for an address without a listener, and for a variable that cannot be read */
export function agentTlsSettings(flags: TlsFlags, world: CliWorld): ServeOptions['agent'] {
  const at = flags.agentListen ?? setting(world, 'AGENT_LISTEN', listen);
  if (at === undefined) {
    if (flags.agentUrl !== undefined || flags.agentPlain)
      throw new CliError('--agent-url and --agent-plain belong to --agent-listen: add it.', 2);
    return null;
  }
  return {
    listen: at,
    url: flags.agentUrl ?? setting(world, 'AGENT_URL', httpsUrl) ?? null,
    allowsPlain: flags.agentPlain ?? setting(world, 'AGENT_PLAIN', yesOrNo) ?? false,
  };
}

function httpsUrl(text: string): string {
  const url = baseUrl(text);
  if (!url.startsWith('https:')) throw new InvalidArgumentError('It begins with https://.');
  return url;
}

export const TLS_VARIABLES =
  'WARMBOOT_ADMIN_TLS (yes or no), WARMBOOT_TLS_CERT, WARMBOOT_TLS_KEY, WARMBOOT_AGENT_LISTEN, WARMBOOT_AGENT_URL,\nWARMBOOT_AGENT_PLAIN (yes or no)';
