import type { Context } from 'hono';

/**
 * The keys that a host says it holds, by id: `Warmboot-Key: ID[, ID]`, or `?keys=` where no header of its own may travel.
 * @returns null when it says nothing
 */
export function heldKeys(c: Context): readonly string[] | null {
  const text = c.req.header('warmboot-key') ?? c.req.query('keys') ?? '';
  const ids = text.split(',').map((id) => id.trim().toLowerCase());
  const held = [...new Set(ids.filter((id) => /^[0-9a-f]{16}$/.test(id)))].slice(0, 4);
  return held.length === 0 ? null : held;
}
