import { OPTION } from './option-codes.ts';

/** Options by code, those that came in parts put together (RFC 3396). Pad (0) and End (255) are never among them. */
export type Options = ReadonlyMap<number, Buffer>;

export type OptionsRefusal = { readonly refused: string };

const PAD = 0;
const END = 255;
/** An option's length is one byte. */
const MAX_PART = 255;

/**
 * Reads the options of one packet from their areas: the options field, then what option 52 adds.
 * @param areas `file` and `sname` as raw fields; they are read only where option 52 says that options are in them
 */
export function readOptions(
  field: Buffer,
  areas: { readonly file: Buffer; readonly serverName: Buffer },
): Options | OptionsRefusal {
  const parts = new Map<number, Buffer[]>();
  const trouble = readArea(field, parts);
  if (trouble !== null) return { refused: trouble };
  const overload = parts.get(OPTION.overload)?.[0]?.[0] ?? 0;
  // RFC 3396, 7: first `file`, then `sname`.
  for (const area of [overload & 1 ? areas.file : null, overload & 2 ? areas.serverName : null]) {
    const inside = area && readArea(area, parts);
    if (inside) return { refused: inside };
  }
  return new Map([...parts].map(([code, values]) => [code, Buffer.concat(values)]));
}

/** Sub-options, as in options 43 and 175: the same coding, mostly without an end. */
export function readSubOptions(value: Buffer): Options | OptionsRefusal {
  const parts = new Map<number, Buffer[]>();
  const trouble = readArea(value, parts);
  if (trouble !== null) return { refused: trouble };
  return new Map([...parts].map(([code, values]) => [code, Buffer.concat(values)]));
}

/** @returns what is wrong with it, or null. A missing End is taken: there is firmware that sends none. */
function readArea(area: Buffer, parts: Map<number, Buffer[]>): string | null {
  for (let at = 0; at < area.length; ) {
    const code = area[at] ?? END;
    if (code === END) return null;
    if (code === PAD) {
      at += 1;
      continue;
    }
    const bytes = area[at + 1];
    if (bytes === undefined || at + 2 + bytes > area.length) return `option ${code} runs past its end`;
    const values = parts.get(code) ?? [];
    values.push(area.subarray(at + 2, at + 2 + bytes));
    parts.set(code, values);
    at += 2 + bytes;
  }
  return null;
}

/** In the order of the map, with an End; a value of more than 255 bytes goes out in parts. */
export function writeOptions(options: Options): Buffer {
  const pieces: Buffer[] = [];
  for (const [code, value] of options) {
    let at = 0;
    do {
      const part = value.subarray(at, at + MAX_PART);
      pieces.push(Buffer.from([code, part.length]), part);
      at += MAX_PART;
    } while (at < value.length);
  }
  return Buffer.concat([...pieces, Buffer.from([END])]);
}
