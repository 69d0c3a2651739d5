/**
 * What vendors leave in SMBIOS where something should stand. Such a text is the same on thousands of machines, so it tells
 * none of them apart. Compared in lower case, blanks joined, without a full stop at the end.
 */
const PLACEHOLDERS = new Set([
  'to be filled by o.e.m',
  'to be filled by oem',
  'default string',
  'not specified',
  'not available',
  'not applicable',
  'not provided',
  'not settable',
  'none',
  'null',
  'n/a',
  'na',
  'unknown',
  'unspecified',
  'undefined',
  'empty',
  'invalid',
  'o.e.m',
  'oem',
  'asset tag',
  'system serial number',
  'system product name',
  'system manufacturer',
  'system version',
  'chassis serial number',
  'base board serial number',
  'serial number',
  '0123456789',
  '123456789',
  '1234567890',
]);

/** UUIDs seen on many machines: boards whose maker never set one, and a Dell without a service tag. */
const PLACEHOLDER_UUIDS = new Set([
  '03000200-0400-0500-0006-000700080009',
  '00020003-0004-0005-0006-000700080009',
  '12345678-1234-5678-90ab-cddeefaabbcc',
  '4c4c4544-0000-2010-8020-80c04f202020',
]);

/** @returns the text without blanks around it, or null for one that says nothing. */
export function meaningful(text: string | null): string | null {
  const trimmed = (text ?? '').replaceAll(/\s+/g, ' ').trim();
  const plain = trimmed.toLowerCase().replace(/\.$/, '');
  const letters = plain.replaceAll(/[ .:_-]/g, '');
  // Nothing, or one character over and over: 00000000, FFFF-FFFF, xxxxx.
  if (letters === '' || /^([0fx*?#])\1*$/.test(letters)) return null;
  return PLACEHOLDERS.has(plain) ? null : trimmed;
}

/** @returns the UUID in lower case, or null for what is none or stands in many machines. */
export function meaningfulUuid(text: string | null): string | null {
  const uuid = (text ?? '').trim().toLowerCase();
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(uuid)) return null;
  return PLACEHOLDER_UUIDS.has(uuid) || /^([0-9a-f])\1*$/.test(uuid.replaceAll('-', '')) ? null : uuid;
}
