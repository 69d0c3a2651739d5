import { z } from '@hono/zod-openapi';
import { REPORT_KINDS } from '../core/report.ts';
import { named } from './named.ts';

/** The wire schemas of what hosts send. Text limits are those of the store's rows, not of any host. */

const id = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9._:-]+$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'is no digest (sha256: and 64 hex digits)');
const slot = z.string().regex(/^[a-h]$/, 'is no slot (a to h)');
/** Forms send an empty value for what does not apply. */
const blank = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' || value === undefined ? null : value), schema.nullable());

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');
const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean(),
);

export const claimSchema = z
  .object({
    attempt: id,
    token: z
      .string()
      .min(16)
      .max(256)
      .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII'),
  })
  .openapi('Claim');

export const reportSchema = z
  .object({
    attempt: blank(id),
    bootId: id,
    seq: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
    kind: z.enum(REPORT_KINDS),
    slot: blank(slot),
    digest: blank(digest),
    default: blank(slot),
    slots: named(
      slot,
      z.object({
        state: z.enum(['empty', 'invalid', 'valid', 'modified']),
        digest: blank(digest),
        // Agents of before do not say it: that is not the same as none.
        files: z.preprocess((value) => (value === '' ? null : value), sha256.nullish()),
      }),
    ).nullish(),
    // On msdos, which has no GUID, the PARTUUID of slot a.
    disk: blank(z.string().regex(/^([0-9a-fA-F-]{36}|[0-9a-f]{8}-[0-9a-f]{2})$/, 'is no GUID')),
    // Agents of before do not say it.
    readOnly: blank(flag),
    trial: blank(flag),
    phase: blank(z.string().max(64)),
    bytesDone: blank(count),
    bytesTotal: blank(count),
    reason: blank(z.string().max(2_000)),
    log: blank(z.string().max(8_192 * 2)),
  })
  .openapi('Report');

/** `application/x-www-form-urlencoded` with dotted keys, as a shell can send it, to the object the schemas take. */
export function nested(form: Iterable<readonly [string, string]>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of form) {
    const parts = key.split('.');
    const last = parts.pop();
    if (last === undefined || parts.length > 3 || key.length > 128) continue;
    let node = root;
    for (const part of parts) {
      const next = Object.hasOwn(node, part) ? node[part] : undefined;
      const child =
        typeof next === 'object' && next !== null ? (next as Record<string, unknown>) : Object.create(null);
      Object.defineProperty(node, part, {
        value: child,
        enumerable: true,
        configurable: true,
        writable: true,
      });
      node = child;
    }
    Object.defineProperty(node, last, { value, enumerable: true, configurable: true, writable: true });
  }
  return root;
}
