import { createHash } from 'node:crypto';
import { connect, type PeerCertificate } from 'node:tls';
import type { Agent } from 'undici';
import { CliError, codeOf, message } from './cli-error.ts';
import type { CliWorld } from './world.ts';

/** How a command knows that a server that speaks HTTPS is the one it means. */
export interface ServerTrust {
  /** `--ca FILE`: certificates of authorities, PEM. */
  readonly ca?: string | undefined;
  /** `--pin sha256:HEX`: the fingerprint of a certificate of the server's chain. */
  readonly pin?: string | undefined;
}

export type Fetch = typeof fetch;

/** How long a server may take to show its certificate. */
const SHOW_MS = 10_000;

/**
 * How to ask a server at `url`. Without `ca` and `pin` the authorities that Node knows count, as in a browser.
 * @throws CliError for a file that cannot be read, and for a server that does not show the pinned certificate
 */
export async function trustedFetch(
  { env, readFile }: CliWorld,
  url: string,
  { ca, pin }: ServerTrust,
): Promise<Fetch> {
  if (!url.startsWith('https:')) return fetch;
  const pinned = pin ?? (env.WARMBOOT_PIN || undefined);
  if (pinned !== undefined) return fetchFrom(await certificateWith(url, fingerprint(pinned)));
  const file = ca ?? (env.WARMBOOT_CA || undefined);
  if (file === undefined) return fetch;
  const pem = await readFile(file).catch((error: unknown) => {
    throw new CliError(`the certificate ${file} cannot be read: ${codeOf(error) ?? message(error)}.`, 2);
  });
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new CliError(`${file} holds no certificate in PEM form.`, 2);
  return fetchFrom(pem);
}

/**
 * Verifies by these certificates alone.
 * @param name of the server, where its address is not what its certificate is for
 */
export function fetchFrom(caPem: string, name?: string): Fetch {
  // What is named is trusted as it is, whether or not it signed itself.
  const connect = {
    ca: caPem,
    allowPartialTrustChain: true,
    ...(name !== undefined && { servername: name }),
  };
  let dispatcher: Agent | null = null;
  const ask = async (input: never, init: object) => {
    // A hundred modules, that only HTTPS with a certificate of one's own needs.
    const undici = await import('undici');
    dispatcher ??= new undici.Agent({ connect });
    return undici.fetch(input, { ...init, dispatcher });
  };
  // The same web API; only the types have another home.
  return ask as unknown as Fetch;
}

/** 64 hex digits, with or without colons, as `openssl x509 -fingerprint -sha256` prints them. */
function fingerprint(text: string): string {
  const hex = text
    .replace(/^sha256[:=]/i, '')
    .replaceAll(':', '')
    .toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  throw new CliError('A pin is the SHA-256 fingerprint of a certificate: sha256:, and 64 hex digits.', 2);
}

/** Looks at what the server shows, before anything is sent to it. @returns the certificate of that fingerprint, PEM */
function certificateWith(url: string, wanted: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false, timeout: SHOW_MS });
    const end = (error: Error | null, pem = '') => {
      socket.destroy();
      if (error) reject(new CliError(`the server at ${url} shows no certificate: ${error.message}.`));
      else resolve(pem);
    };
    socket.once('timeout', () => end(new Error('it does not answer')));
    socket.once('error', end);
    socket.once('secureConnect', () => {
      for (const { raw } of chainOf(socket.getPeerCertificate(true)))
        if (createHash('sha256').update(raw).digest('hex') === wanted) return end(null, pemOf(raw));
      socket.destroy();
      reject(
        new CliError(
          `the server at ${url} does not show the pinned certificate: another server answers there, or its certificate was changed. Nothing was sent to it.`,
        ),
      );
    });
  });
}

function chainOf(leaf: PeerCertificate & { issuerCertificate?: PeerCertificate }): PeerCertificate[] {
  const chain: PeerCertificate[] = [];
  // A root is its own issuer.
  for (let at: typeof leaf | undefined = leaf; at?.raw && !chain.includes(at); at = at.issuerCertificate)
    chain.push(at);
  return chain;
}

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
