import type { NewBuild } from '../../contract/builds.ts';

/** What the form of a new build holds, as it was typed; '' for what was left empty. */
export type BuildWish = {
  readonly name: string;
  readonly tag: string;
  readonly from: string;
  readonly filesystem: string;
  readonly size: string;
  readonly append: string;
  readonly addAgent: boolean;
  /** Lines of NAME=VALUE. */
  readonly arguments: string;
};

export const WISH_FIELDS = ['name', 'tag', 'from', 'filesystem', 'size', 'append', 'arguments'] as const;

export function wishOf(field: (name: string) => string): BuildWish {
  const texts = Object.fromEntries(WISH_FIELDS.map((name) => [name, field(name)])) as Record<
    (typeof WISH_FIELDS)[number],
    string
  >;
  return { ...texts, addAgent: field('addAgent') === 'yes' };
}

/** The order for the API, which says what is wrong with it. What was left empty is left out: the recipe counts. */
export function orderOf(wish: BuildWish): NewBuild {
  const { name, tag, from, filesystem, size, append, addAgent } = wish;
  const buildArguments = argumentsIn(wish.arguments);
  return {
    name,
    ...(tag !== '' && { tag }),
    ...(from !== '' && { from }),
    ...(filesystem !== '' && { filesystem: filesystem as 'ext4' | 'xfs' }),
    ...(size !== '' && { size }),
    ...(append !== '' && { append }),
    ...(addAgent && { addAgent }),
    ...(Object.keys(buildArguments).length > 0 && { buildArguments }),
  };
}

/** @returns a line without `=` as a name with an empty value */
function argumentsIn(text: string): Record<string, string> {
  const lines = text.split('\n').map((line) => line.trim());
  return Object.fromEntries(
    lines
      .filter((line) => line !== '')
      .map((line) => {
        const equals = line.indexOf('=');
        return equals === -1 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
      }),
  );
}
