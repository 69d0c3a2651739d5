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
