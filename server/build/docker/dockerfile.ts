/** What a Dockerfile needs from outside before it can be built. */
export interface DockerfileReferences {
  /** Images named in FROM, COPY --from and RUN --mount=from=; stages and `scratch` excluded, in order, each once. */
  readonly images: readonly string[];
}

/**
 * Finds the images that a Dockerfile names. Build arguments are put in where FROM may use them: declared before the
 * first FROM, with their defaults or the values given here.
 * Source: the Dockerfile reference, "Understand how ARG and FROM interact", "Here-documents", "escape".
 */
export function findReferences(
  dockerfile: string,
  buildArguments: Readonly<Record<string, string>> = {},
): DockerfileReferences {
  const globals = new Map<string, string>();
  const stages = new Set<string>();
  const images = new Set<string>();
  let stageCount = 0;
  const add = (reference: string): void => {
    if (reference === '' || reference === 'scratch' || stages.has(reference.toLowerCase())) return;
    if (/^\d+$/.test(reference) && Number(reference) < stageCount) return;
    images.add(reference);
  };

  for (const instruction of instructions(dockerfile)) {
    const [keyword = '', ...words] = instruction.split(/\s+/);
    switch (keyword.toUpperCase()) {
      case 'ARG':
        if (stageCount > 0) break;
        for (const word of words) declare(globals, word, buildArguments);
        break;
      case 'FROM': {
        const [image = '', as = '', stage = ''] = words.filter((word) => !word.startsWith('--'));
        add(substitute(image, globals));
        stageCount += 1;
        if (as.toLowerCase() === 'as') stages.add(stage.toLowerCase());
        break;
      }
      case 'COPY':
      case 'ADD':
        for (const word of words) if (word.startsWith('--from=')) add(substitute(word.slice(7), globals));
        break;
      case 'RUN':
        for (const word of words.filter((each) => each.startsWith('--mount=')))
          for (const part of word.slice(8).split(','))
            if (part.startsWith('from=')) add(substitute(part.slice(5), globals));
        break;
      default:
    }
  }
  return { images: [...images] };
}

/** Instructions with continued lines joined; comments, parser directives and here-document bodies left out. */
function* instructions(dockerfile: string): Generator<string> {
  const lines = dockerfile.split(/\r?\n/);
  const escapeSign = /^#\s*escape\s*=\s*`\s*$/im.test(lines.slice(0, 3).join('\n')) ? '`' : '\\';
  let open = '';
  for (let i = 0; i < lines.length; i += 1) {
    const line = (lines[i] ?? '').trim();
    if (line === '' || line.startsWith('#')) continue;
    if (line.endsWith(escapeSign)) {
      open += `${line.slice(0, -1)} `;
      continue;
    }
    const instruction = open + line;
    open = '';
    yield instruction;
    if (!/^(RUN|COPY|ADD)\s/i.test(instruction)) continue;
    for (const [, dash, , word] of instruction.matchAll(/<<(-?)(["']?)([A-Za-z_]\w*)\2/g)) {
      do i += 1;
      while (i < lines.length && (dash ? lines[i]?.replace(/^\t+/, '') : lines[i]) !== word);
    }
  }
  if (open !== '') yield open.trim();
}

function declare(globals: Map<string, string>, word: string, given: Readonly<Record<string, string>>): void {
  const equals = word.indexOf('=');
  const name = equals === -1 ? word : word.slice(0, equals);
  const fallback = equals === -1 ? '' : word.slice(equals + 1).replace(/^(["'])(.*)\1$/, '$2');
  // `constructor` is an argument like any other, and no object's own.
  const value = Object.hasOwn(given, name) ? given[name] : undefined;
  globals.set(name, value ?? substitute(fallback, globals));
}

/** `$X`, `${X}`, `${X:-default}` and `${X:+other}`. */
function substitute(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})/g,
    (_, bare?: string, braced?: string, operator?: string, word = '') => {
      const value = values.get(bare ?? braced ?? '') ?? '';
      if (operator === '-') return value === '' ? word : value;
      if (operator === '+') return value === '' ? '' : word;
      return value;
    },
  );
}
