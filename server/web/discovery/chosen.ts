import type { Html } from '../html.ts';
import { hiddenField } from '../parts/form.ts';
import type { Visit } from '../visit.ts';
import { MACHINES_SHOWN, type Machine, machineOf } from './machines.ts';

/** Machines that were ticked, on the way from a list to the page that says what would happen, and from there to the change. */

export type Chosen = {
  readonly machines: readonly Machine[];
  /** Named, and not to be had: each with the reason. */
  readonly missing: readonly { readonly mac: string; readonly reason: string }[];
};

export async function chosenIn({ api, queries }: Pick<Visit, 'api' | 'queries'>): Promise<Chosen> {
  const macs = [...new Set(queries('mac'))];
  const asked = macs.slice(0, MACHINES_SHOWN);
  const found = await Promise.all(asked.map(async (mac) => ({ mac, told: await machineOf(api, mac) })));
  const reason = `It is left out: ${MACHINES_SHOWN} machines are taken at once.`;
  return {
    machines: found.flatMap(({ told }) => (told.ok ? [told.value] : [])),
    missing: [
      ...found.flatMap(({ mac, told }) => (told.ok ? [] : [{ mac, reason: told.detail }])),
      ...macs.slice(MACHINES_SHOWN).map((mac) => ({ mac, reason })),
    ],
  };
}

/** Each with its revision: the change is made only to a machine that is as it was shown. */
export function hiddenChosen(machines: readonly Machine[]): readonly Html[] {
  return machines.map(({ host }) => hiddenField('machine', `${host.mac}/${host.revision}`));
}

export function sentMachines(
  fields: readonly string[],
): readonly { readonly mac: string; readonly revision: string }[] {
  // A form of ours has no more.
  return fields.slice(0, MACHINES_SHOWN).map((text) => {
    const [mac = '', revision = ''] = text.split('/');
    return { mac, revision };
  });
}
