import type { Argument, Command, Option } from 'commander';

/** What a shell offers for the word under the cursor. */

export interface Candidate {
  readonly text: string;
  /** For shells that show it beside the word. */
  readonly about: string;
}

/** What only the server knows, asked for when it is needed. @param typed the beginning of a MAC */
export interface KnownNames {
  macs(typed: string): Promise<readonly Candidate[]>;
  images(): Promise<readonly Candidate[]>;
  /** Paths of the files that a host has of its own. */
  hostFiles(mac: string): Promise<readonly Candidate[]>;
}

/** `files`: the shell completes names of files by itself. */
export type Completion = { readonly candidates: readonly Candidate[] } | 'files';

const NOTHING: Completion = { candidates: [] };

/**
 * @param words after the program's name, up to the cursor; the last is the one that is being typed, maybe empty
 * @throws what `names` throws
 */
export async function complete(
  program: Command,
  words: readonly string[],
  names: KnownNames,
): Promise<Completion> {
  const typed = words.at(-1) ?? '';
  const place = placeOf(program, words.slice(0, -1));
  const found = await offered(place, typed, names);
  if (found === 'files') return found;
  return { candidates: found.candidates.filter(({ text }) => text.startsWith(typed)) };
}

/** Where the cursor stands in the line. */
interface Place {
  readonly command: Command;
  /** An option that waits for its value. */
  readonly pending: Option | null;
  /** Arguments that stand before the cursor. */
  readonly given: readonly string[];
  /** After `--`. */
  readonly isEnded: boolean;
}

function placeOf(program: Command, words: readonly string[]): Place {
  let [command, pending, isEnded] = [program, null as Option | null, false];
  const given: string[] = [];
  for (const word of words) {
    if (pending) pending = null;
    else if (isEnded || !word.startsWith('-')) {
      const below = given.length === 0 && !isEnded ? commandOf(command, word) : undefined;
      if (below) command = below;
      else given.push(word);
    } else if (word === '--') isEnded = true;
    else if (!word.includes('=')) {
      const option = optionsOf(command).find(({ long, short }) => word === long || word === short);
      pending = option?.required || option?.optional ? option : null;
    }
  }
  return { command, pending, given, isEnded };
}

function commandOf(command: Command, name: string): Command | undefined {
  return command.commands.find((each) => each.name() === name || each.aliases().includes(name));
}

/** Its own, and those of all above it: commander takes them anywhere. */
function optionsOf(command: Command): Option[] {
  const above = command.parent ? optionsOf(command.parent) : [];
  return [...command.options, ...above];
}

async function offered(place: Place, typed: string, names: KnownNames): Promise<Completion> {
  const { command, pending, given, isEnded } = place;
  if (pending) return values(pending, typed, names, given);
  const inline = /^(--[^=]+)=/.exec(typed);
  if (inline && !isEnded) {
    const [head = '', long] = inline;
    const option = optionsOf(command).find((each) => each.long === long);
    const found = option ? await values(option, typed.slice(head.length), names, given) : NOTHING;
    if (found === 'files') return NOTHING;
    return {
      candidates: found.candidates.map(({ text, about }) => ({ text: `${head}${text}`, about })),
    };
  }
  if (typed.startsWith('-') && !isEnded)
    return {
      candidates: optionsOf(command).flatMap(({ long, description, hidden }) =>
        long && !hidden ? [{ text: long, about: description }] : [],
      ),
    };
  if (command.commands.length > 0 && given.length === 0) {
    const shown = command.createHelp().visibleCommands(command);
    return { candidates: shown.map((each) => ({ text: each.name(), about: each.description() })) };
  }
  const argument = argumentAt(command, given.length);
  return argument
    ? values({ flags: `<${argument.name()}>`, argChoices: argument.argChoices }, typed, names, given)
    : NOTHING;
}

function argumentAt({ registeredArguments }: Command, at: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[at] ?? (last?.variadic ? last : undefined);
}

/** By the name that the value has in the help: `<mac>` is one of a host, `<host-path>` a file of the one that was given. */
async function values(
  { flags, argChoices: choices }: { readonly flags: string; readonly argChoices?: string[] | undefined },
  typed: string,
  names: KnownNames,
  given: readonly string[],
): Promise<Completion> {
  if (choices) return { candidates: choices.map((text) => ({ text, about: '' })) };
  const name = /[<[]([^>\].]+)/.exec(flags)?.[1] ?? '';
  switch (name) {
    case 'mac':
    case 'mac|selector':
      return { candidates: await names.macs(typed) };
    case 'image':
    case 'ref':
      return { candidates: await names.images() };
    case 'host-path':
      return { candidates: await names.hostFiles(given[0] ?? '') };
    case 'file':
    case 'dir':
    case 'path':
      return 'files';
    default:
      return NOTHING;
  }
}
