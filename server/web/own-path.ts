/** A path of this server, or the first page: a link must not lead through the login to somewhere else. */
export function ownPath(wanted: string | null | undefined): string {
  if (!wanted || !/^\/(?![/\\])[\x21-\x7e]*$/.test(wanted)) return '/';
  const { origin, pathname, search } = new URL(wanted, 'http://own.invalid');
  return origin === 'http://own.invalid' && !pathname.startsWith('//') ? `${pathname}${search}` : '/';
}

/** A path however it is written: `%3A` is `:`. */
export function pathOf({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}
