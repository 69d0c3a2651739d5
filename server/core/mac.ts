declare const macBrand: unique symbol;

/** An Ethernet MAC in its one stored form: six lower-case hex bytes with colons, `52:54:00:00:00:01`. */
export type Mac = string & { readonly [macBrand]: true };

const SHAPE = /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/;

/**
 * Reads a MAC in any case with `:` or `-` (iPXE's `${mac:hexhyp}`, Windows' form), not both mixed.
 * @returns the stored form, or null for anything else, group addresses and the all-zero address included:
 * no host can own those (IEEE 802-2014, 8.2).
 */
export function parseMac(text: string): Mac | null {
  const lower = text.toLowerCase();
  if (!SHAPE.test(lower)) return null;
  const mac = lower.replaceAll('-', ':');
  const isGroup = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
  return isGroup || mac === '00:00:00:00:00:00' ? null : (mac as Mac);
}
