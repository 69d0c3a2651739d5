import { createPrivateKey, randomBytes, type webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate and its private key, both PEM; `certPem` may hold the chain above it. */
export type Certificate = { readonly certPem: string; readonly keyPem: string };

/** RFC 5280, 4.1.2.5: a certificate that has no end. */
const NO_END = new Date('9999-12-31T23:59:59Z');
/** Machines whose clock stands at its beginning must not find it "not yet valid". */
const NO_BEGINNING = new Date(0);

const DAY_MS = 86_400_000;
/** Browsers refuse server certificates that are valid for much longer than a year. */
const SHORT_MS = 397 * DAY_MS;
const RENEW_BEFORE_MS = 30 * DAY_MS;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** What is made at most once a year is loaded only then. */
async function maker() {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

/** Makes the authority that this server's own certificates come from: ECDSA P-256, valid at any time. */
export async function newAuthority(name: string): Promise<Certificate> {
  const x509 = await maker();
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    // RFC 4514 wants these characters escaped; a host name has none of them.
    name: `CN=${name.replaceAll(/[^A-Za-z0-9. -]/g, '')}`,
    notBefore: NO_BEGINNING,
    notAfter: NO_END,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: `${made.toString('pem')}\n`, keyPem: await pemOf(keys.privateKey) };
}

/**
 * Makes a server's certificate.
 * @param names host names and addresses it is for; the first is shown as its subject
 * @param now milliseconds since 1970; null: valid at any time, for machines that pin the authority and may have a wrong clock
 */
export async function issueCertificate(
  authority: Certificate,
  names: readonly string[],
  now: number | null,
): Promise<Certificate> {
  const x509 = await maker();
  const issuer = new x509.X509Certificate(authority.certPem);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=Warmboot server',
    issuer: issuer.subject,
    notBefore: now === null ? NO_BEGINNING : new Date(now - DAY_MS),
    notAfter: now === null ? NO_END : new Date(now + SHORT_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await privateKeyOf(authority.keyPem),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certPem: `${made.toString('pem')}\n`, keyPem: await pemOf(keys.privateKey) };
}

/** Whether a made certificate is still right: of this authority, for all these names, and not about to end. */
export function isStillGood(
  certificate: Certificate,
  authority: Certificate,
  names: readonly string[],
  now: number,
): boolean {
  const leaf = new X509Certificate(certificate.certPem);
  const isFor = (name: string) =>
    (isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name, { subject: 'never' })) !== undefined;
  return (
    leaf.verify(new X509Certificate(authority.certPem).publicKey) &&
    names.every(isFor) &&
    Date.parse(leaf.validTo) - RENEW_BEFORE_MS > now
  );
}

/**
 * An operator's certificate as it was read from two files.
 * @throws Error with a sentence when it cannot be used
 */
export function checkedCertificate(certificate: Certificate, now: number): Certificate {
  const leaf = new X509Certificate(certificate.certPem);
  if (!leaf.checkPrivateKey(createPrivateKey(certificate.keyPem)))
    throw new Error('the key does not belong to the certificate');
  if (Date.parse(leaf.validTo) < now) throw new Error(`the certificate has ended on ${leaf.validTo}`);
  return certificate;
}

/** Positive, with 127 random bits (RFC 5280, 4.1.2.2: at most 20 octets). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

function privateKeyOf(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return crypto.subtle.importKey('pkcs8', new Uint8Array(der), ALGORITHM, false, ['sign']);
}
