/** A slice of a representation: `start` inclusive, `end` exclusive, both in bytes. */
export type ByteRange = { readonly start: number; readonly end: number };

/** What a `Range` header asks of a representation of a known length (RFC 9110, 14.1–14.4). */
export type RangeAnswer =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly range: ByteRange }
  | { readonly kind: 'unsatisfiable' }
  | { readonly kind: 'malformed' };

const SPEC = /^bytes=(\d*)-(\d*)$/;

/**
 * Decides what a single-range request gets. Several ranges in one header are answered with the whole
 * representation, which RFC 9110 (14.2) allows and which no boot client asks for. A unit other than
 * `bytes` is ignored, as that section demands; `bytes=` with a body that is no range is `malformed`.
 */
export function answerRange(header: string | undefined, sizeBytes: number): RangeAnswer {
  if (header === undefined) return { kind: 'whole' };
  const text = header.trim().toLowerCase();
  if (!text.startsWith('bytes=')) return { kind: 'whole' };
  const compact = text.replaceAll(/\s/g, '');
  if (compact.includes(',')) {
    const parts = compact.slice('bytes='.length).split(',');
    return parts.every((part) => /^(\d+-\d*|-\d+)$/.test(part)) ? { kind: 'whole' } : { kind: 'malformed' };
  }
  const match = SPEC.exec(compact);
  if (!match) return { kind: 'malformed' };
  const [, first = '', last = ''] = match;
  if (first === '') return suffix(last, sizeBytes);
  const start = Number(first);
  const inclusiveEnd = last === '' ? Number.POSITIVE_INFINITY : Number(last);
  if (inclusiveEnd < start) return { kind: 'malformed' };
  if (start >= sizeBytes) return { kind: 'unsatisfiable' };
  return { kind: 'part', range: { start, end: Math.min(inclusiveEnd + 1, sizeBytes) } };
}

function suffix(last: string, sizeBytes: number): RangeAnswer {
  if (last === '') return { kind: 'malformed' };
  const wanted = Math.min(Number(last), sizeBytes);
  if (wanted === 0) return { kind: 'unsatisfiable' };
  return { kind: 'part', range: { start: sizeBytes - wanted, end: sizeBytes } };
}
