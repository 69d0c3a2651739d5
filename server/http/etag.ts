import { WarmbootError } from '../core/errors.ts';
import type { Expected } from '../core/revision.ts';

/** Whether a header such as If-None-Match names a tag, compared weakly: a cache on the way may have marked it `W/`. RFC 9110, 8.8.3.2. */
export function namesWeakly(header: string | undefined, etag: string): boolean {
  return tagsOf(header).some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag);
}

/** Whether a header such as If-Match names a tag, compared strongly: a weak tag never matches. RFC 9110, 8.8.3.2. */
export function namesStrongly(header: string | undefined, etag: string): boolean {
  return tagsOf(header).some((tag) => tag === '*' || tag === etag);
}

function tagsOf(header: string | undefined): string[] {
  return header === undefined ? [] : header.split(',').map((tag) => tag.trim());
}

const TAGS = /^\s*(?:W\/)?"[\x21\x23-\x7e]*"(?:\s*,\s*(?:W\/)?"[\x21\x23-\x7e]*")*\s*$/;
const TAG = /(W\/)?"([\x21\x23-\x7e]*)"/g;

/**
 * The revisions that an If-Match names. Tags of records are `"REVISION.HASH"`, and `"REVISION"` is as good: what a host reports
 * meanwhile is another representation, but takes nothing from an operator. Weak tags match nothing (RFC 9110, 13.1.1).
 * @returns null for `*` and without the header: any revision
 * @throws WarmbootError for what is no list of tags: a condition that nobody understands must not be passed over
 */
export function expectedOf(header: string | undefined): Expected {
  if (header === undefined || header.trim() === '*') return null;
  if (!TAGS.test(header))
    throw new WarmbootError(
      'malformed',
      'If-Match is no list of ETags: write them as GET gave them, with their quotation marks, or *.',
    );
  return [...header.matchAll(TAG)].flatMap(([, weak, tag = '']) => {
    const revision = /^(\d{1,16})(?:\.[\w-]+)?$/.exec(tag)?.[1];
    return weak || revision === undefined ? [] : [Number(revision)];
  });
}
