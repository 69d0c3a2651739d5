import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Logger as Pino } from 'pino';
import type { TlsFiles } from '../config.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Listening, Tls } from '../http/listen.ts';
import { checkedCertificate } from '../keys/certificates.ts';
import type { TlsFolder } from '../keys/tls-folder.ts';
import { ownAddresses } from './own-addresses.ts';

/** How often is looked whether a certificate has changed, or must be renewed. */
const LOOK_MS = 10_000;

/** The certificates of one listener. */
export type TlsSource = {
  /** @throws Error with a sentence when there is none that can be used */
  read(): Promise<Tls>;
  /** Differs when `read` may have something else. */
  edition(): Promise<string>;
};

/** What this machine is called by programs on it and, as far as it knows, by others. */
export function ownNames(...more: readonly string[]): string[] {
  const names = [...more, hostname(), 'localhost', '127.0.0.1', '::1', ...ownAddresses()];
  // What cannot stand in a certificate is no name that anybody could verify.
  return [
    ...new Set(names.filter((name) => /^[A-Za-z0-9.:-]+$/.test(name) && name !== '0.0.0.0' && name !== '::')),
  ];
}

/** A certificate of our own authority; valid for about a year, and renewed before that is over. */
export function madeCertificate(folder: TlsFolder, name: string, names: readonly string[]): TlsSource {
  return {
    read: () => folder.certificate(name, names, false, Date.now()),
    edition: async () => new Date().toISOString().slice(0, 10),
  };
}

/** The operator's own certificate; this machine's programs, which ask for `localhost`, get the made one. */
export function ownCertificate({ certFile, keyFile }: TlsFiles, made: TlsSource): TlsSource {
  return {
    async read() {
      const [certPem, keyPem] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
      const { certPem: localCert, keyPem: localKey } = await made.read();
      return {
        ...checkedCertificate({ certPem, keyPem }, Date.now()),
        local: { certPem: localCert, keyPem: localKey },
      };
    },
    async edition() {
      const seen = await Promise.all([certFile, keyFile].map((file) => stat(file)));
      const files = seen.map(({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`);
      return [...files, await made.edition()].join();
    },
  };
}

/** @throws WarmbootError for files that cannot be used: a server that starts without what it was told would mislead */
export async function firstCertificate(source: TlsSource, { certFile, keyFile }: TlsFiles): Promise<Tls> {
  return source.read().catch((error: Error) => {
    throw new WarmbootError(
      'invalid',
      `The certificate ${certFile} with the key ${keyFile} cannot be used: ${error.message}. Name another with --tls-cert and --tls-key.`,
    );
  });
}

export type TlsWatch = {
  /** Now, whether anything seems to have changed or not. */
  reload(): Promise<void>;
  stop(): void;
};

/** Gives a listener its certificate anew when it changed. One that cannot be used is said, and the old one stays. */
export async function watchCertificate(source: TlsSource, at: Listening, logger: Pino): Promise<TlsWatch> {
  let known = await source.edition().catch(() => '');
  const reload = async () => {
    // Noted first: a file that is written while it is read counts as changed at the next look.
    known = await source.edition().catch(() => '');
    try {
      at.renew(await source.read());
      logger.info({ port: at.port }, 'certificate loaded anew');
    } catch (err) {
      logger.error({ err, port: at.port }, 'the certificate cannot be used, the one before stays');
    }
  };
  const timer = setInterval(async () => {
    const now = await source.edition().catch(() => known);
    if (now !== known) await reload();
  }, LOOK_MS).unref();
  return { reload, stop: () => clearInterval(timer) };
}
