/** What images/installer/grub/grub.cfg chooses; test/host/boot-rules.ts holds it to the same table as GRUB itself. */

export type Grubenv = ReadonlyMap<string, string>;

/** GRUB's reading of its environment block (grub-core/lib/envblk.c); null when it takes it for none. */
export function parseGrubenv(block: Buffer | null | undefined): Grubenv | null {
  const text = block?.toString('latin1') ?? '';
  const head = '# GRUB Environment Block\n';
  if (!text.startsWith(head)) return null;
  const lines = text.slice(head.length).split('\n');
  return new Map(
    lines
      .filter((line) => !line.startsWith('#') && line.includes('='))
      .map((line) => line.split(/=(.*)/s, 2) as [string, string]),
  );
}

/** @returns the one-shot trial, if there is one, and what is booted without it; null when there is nothing */
export function grubChoice(
  valid: readonly string[],
  grubenv: Grubenv | null,
): { readonly trial: string | null; readonly slot: string | null } {
  const get = (key: string) => grubenv?.get(key) ?? '';
  if (get('moved')) return { trial: null, slot: null };
  const next = get('next');
  const trial = valid.includes(next) ? next : null;
  const byDefault = valid.includes(get('default')) ? get('default') : ([...valid].sort()[0] ?? null);
  if (byDefault === null || get(`tries_${byDefault}`) !== '0') return { trial, slot: byDefault };
  const other = [...valid].sort().find((slot) => slot !== byDefault && get(`tries_${slot}`) !== '0');
  return { trial, slot: other ?? byDefault };
}

/** What the environment holds when GRUB has made that choice; a variable that is empty is as good as none. */
export function afterGrub(valid: readonly string[], grubenv: Grubenv | null): Grubenv | null {
  if (grubenv === null || grubenv.get('moved')) return grubenv;
  const { slot, trial } = grubChoice(valid, grubenv);
  const after = new Map(grubenv);
  if (grubenv.get('next')) after.set('next', '');
  const tries = grubenv.get(`tries_${slot}`) ?? '';
  if (trial === null && slot !== null && tries !== '0')
    after.set(`tries_${slot}`, /^[12]$/.test(tries) ? `${Number(tries) - 1}` : '2');
  return after;
}
