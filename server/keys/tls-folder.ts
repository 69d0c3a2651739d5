import path from 'node:path';
import { type Certificate, isStillGood, issueCertificate, newAuthority } from './certificates.ts';
import { readSecret, writeSecret } from './secret-file.ts';

/**
 * `DATA/keys/tls`: the authority made at first need, and the certificates it issued. Each pair of certificate and key is one
 * file, so that a crash leaves no half of it; `ca.pem` is the authority's certificate alone, for programs and people.
 */
export type TlsFolder = {
  readonly caFile: string;
  readonly caPem: string;
  /**
   * The certificate `name`, kept while it is good, else issued anew.
   * @param names what it has to be valid for
   * @param isTimeless valid at any time, for machines with a wrong clock; else about a year
   */
  certificate(name: string, names: readonly string[], isTimeless: boolean, now: number): Promise<Certificate>;
};

export async function openTlsFolder(dataDir: string, authorityName: string): Promise<TlsFolder> {
  const at = (name: string) => path.join(dataDir, 'keys', 'tls', name);
  const authority = await kept(at('authority.pem'), () => newAuthority(authorityName));
  const caFile = at('ca.pem');
  if (readSecret(caFile) !== authority.certPem) writeSecret(caFile, authority.certPem, 0o644);
  return {
    caFile,
    caPem: authority.certPem,
    async certificate(name, names, isTimeless, now) {
      const file = at(`${name}.pem`);
      const text = readSecret(file);
      const found = text === null ? null : pairOf(text);
      if (found && isStillGood(found, authority, names, now)) return withChain(found);
      const issued = await issueCertificate(authority, names, isTimeless ? null : now);
      writeSecret(file, issued.keyPem + issued.certPem);
      return withChain(issued);
    },
  };

  /** With the authority, so that who pins that one's fingerprint finds it. */
  function withChain({ certPem, keyPem }: Certificate): Certificate {
    return { certPem: certPem + authority.certPem, keyPem };
  }
}

async function kept(file: string, make: () => Promise<Certificate>): Promise<Certificate> {
  const text = readSecret(file);
  const found = text === null ? null : pairOf(text);
  if (found) return found;
  if (text !== null) throw new Error(`${file} holds no key and certificate: put the one from a backup there`);
  const made = await make();
  writeSecret(file, made.keyPem + made.certPem);
  return made;
}

/** @returns null when one of the two is not there */
function pairOf(text: string): Certificate | null {
  const block = (kind: string) =>
    new RegExp(`-----BEGIN ${kind}-----[^-]+-----END ${kind}-----\n`).exec(text)?.[0];
  const [keyPem, certPem] = [block('PRIVATE KEY'), block('CERTIFICATE')];
  return keyPem && certPem ? { keyPem, certPem } : null;
}
