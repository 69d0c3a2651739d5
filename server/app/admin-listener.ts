import type { Logger as Pino } from 'pino';
import type { Config } from '../config.ts';
import { fromHere, hostPort, isLoopback } from '../core/listen-address.ts';
import { LARGE_BODIES, type Listening, listen } from '../http/listen.ts';
import type { TlsFolder } from '../keys/tls-folder.ts';
import {
  firstCertificate,
  madeCertificate,
  ownCertificate,
  ownNames,
  type TlsWatch,
  watchCertificate,
} from './certificates.ts';

/**
 * Listens for operators and their programs, with TLS where that is wanted.
 * @param folder of the certificates that are made; null where nothing speaks TLS
 * @returns how this machine reaches it, and what looks after its certificate
 */
export async function listenForOperators(
  app: Parameters<typeof listen>[0],
  { adminListen, adminTls }: Pick<Config, 'adminListen' | 'adminTls'>,
  folder: TlsFolder | null,
  logger: Pino,
  closers: (() => unknown)[],
): Promise<{ adminUrl: string; adminAt: Listening; watch: TlsWatch | null }> {
  if (!adminTls || !folder) {
    const at = await listen(app, adminListen, LARGE_BODIES);
    closers.push(at.close);
    if (!isLoopback(adminListen.host))
      logger.warn(
        { listen: hostPort(at) },
        'the admin plane is open to others without TLS: whoever listens on the network reads tokens. Add --admin-tls, or let it listen on 127.0.0.1',
      );
    return { adminUrl: `http://${hostPort(fromHere(at))}`, adminAt: at, watch: null };
  }
  const made = madeCertificate(folder, 'admin', ownNames(adminListen.host));
  const source = adminTls.files ? ownCertificate(adminTls.files, made) : made;
  const tls = await (adminTls.files ? firstCertificate(source, adminTls.files) : source.read());
  const at = await listen(app, adminListen, LARGE_BODIES, tls);
  closers.push(at.close);
  const watch = await watchCertificate(source, at, logger);
  closers.push(watch.stop);
  return { adminUrl: `https://${hostPort(fromHere(at))}`, adminAt: at, watch };
}
