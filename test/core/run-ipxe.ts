/**
 * As much of iPXE as our scripts use (`exec.c`, `script.c`): settings, labels, `&&` and `||` from left to right, and the rule that
 * a line which fails ends the script. What a command of the world outside does, the caller says.
 */
export type World = {
  /** Settings that the firmware brings: platform, buildarch … */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether this command succeeds. `shell` and `prompt` (a key pressed) are asked too. */
  succeeds(command: string, words: readonly string[]): boolean;
};

export type Run = {
  /** How it ended: a command that took the machine over, `exit N`, or a line that failed. */
  readonly end: string;
  /** Milliseconds that pauses and stalled requests take at most. */
  readonly ms: number;
  readonly said: readonly string[];
  readonly ran: readonly string[];
};

/** Commands that do not come back when they work. */
const TAKES_OVER = ['chain', 'boot', 'sanboot'];
const MAX_COMMANDS = 10_000;

/** @throws Error when the script does not end, goes to a label that is not there, or has a command that is not known here */
export function runIpxe(script: string, { settings = {}, succeeds }: World): Run {
  const lines = script.split('\n');
  const known = new Map(Object.entries(settings));
  const said: string[] = [];
  const ran: string[] = [];
  let ms = 0;

  const expand = (line: string) =>
    line.replaceAll(/\$\{([^}]*)\}/g, (_, name: string) => known.get(name.split(':')[0] ?? '') ?? '');
  const set = (name: string, value: number | string) => known.set(name.split(':')[0] ?? '', String(value));
  const timeout = (words: readonly string[]) => Number(words[words.indexOf('--timeout') + 1] ?? 0);

  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (line === '' || line.startsWith('#') || line.startsWith(':')) continue;
    let [ok, goes, end] = [true, null as string | null, null as string | null];
    for (const { text, runs } of chain(line)) {
      if (!runs(ok)) continue;
      const words = expand(text).split(' ').filter(Boolean);
      if (words.length === 0) {
        ok = true;
        continue;
      }
      if (ran.push(words.join(' ')) > MAX_COMMANDS) throw new Error(`it never ends: ${line}`);
      [ok, goes, end] = step(words);
      if (goes !== null || end !== null) break;
    }
    if (end !== null) return { end, ms, said, ran };
    if (goes !== null) at = label(goes);
    else if (!ok) return { end: `failed: ${line}`, ms, said, ran };
  }
  return { end: 'end of script', ms, said, ran };

  function label(name: string): number {
    const at = lines.indexOf(`:${name}`);
    if (at === -1) throw new Error(`there is no label ${name}`);
    return at;
  }

  /** @returns whether it worked, the label it goes to, how the script ended */
  function step(words: readonly string[]): [boolean, string | null, string | null] {
    const [command = '', first = '', second = ''] = words;
    switch (command) {
      case 'echo':
        said.push(words.slice(1).join(' '));
        return [true, null, null];
      case 'set':
        if (first.endsWith(':int32') && Number.isNaN(Number(second))) return [false, null, null];
        set(first, first.endsWith(':int32') ? Number(second) : second);
        return [true, null, null];
      case 'inc':
        set(first, Number(known.get(first) ?? 0) + Number(second || 1));
        return [true, null, null];
      case 'iseq':
        return [first === second, null, null];
      case 'isset':
        return [words.length > 1, null, null];
      case 'imgfree':
        return [true, null, null];
      case 'goto':
        return [true, first, null];
      case 'exit':
        return [true, null, words.join(' ')];
      case 'prompt': {
        const pressed = succeeds(command, words);
        if (!pressed) ms += timeout(words);
        return [pressed, null, null];
      }
      case 'chain':
      case 'kernel':
      case 'initrd':
      case 'boot':
      case 'sanboot':
      case 'shell':
      case 'dhcp':
      case 'cpuid': {
        const worked = succeeds(command, words);
        if (!worked && words.includes('--timeout')) ms += timeout(words);
        return [worked, null, worked && TAKES_OVER.includes(command) ? words.join(' ') : null];
      }
      default:
        throw new Error(`no such command: ${words.join(' ')}`);
    }
  }
}

/** The commands of a line, each with the condition under which it runs. */
function chain(line: string): { text: string; runs: (ok: boolean) => boolean }[] {
  const parts = line.split(/ (\|\||&&)(?: |$)/);
  return parts.flatMap((text, i) => {
    if (i % 2 === 1) return [];
    const operator = parts[i - 1];
    const runs = (ok: boolean) => operator === undefined || ok === (operator === '&&');
    return [{ text, runs }];
  });
}
