import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PHASES } from '../server/core/attempt.ts';
import { ATTEMPT_MOVES, type AttemptMove } from '../server/core/attempt-moves.ts';
import { CLAIM_MOVES, CLAIM_STATES } from '../server/core/claim-moves.ts';
import { ENROLMENT_MOVES } from '../server/core/enrolment-moves.ts';
import { OBSERVATION_MOVES, REPORT_ORDER } from '../server/core/observation-moves.ts';
import { PATIENCE, PATIENCE_OF } from '../server/core/patience.ts';

/**
 * Makes the diagrams and tables of host-lifecycle.md from the tables that the server goes by:
 *
 *     node docs/host-lifecycle.ts
 */

const PAGE = fileURLToPath(new URL('host-lifecycle.md', import.meta.url));

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/** A state diagram in mermaid, which GitHub draws. One line for each pair of states. */
function diagram(
  moves: readonly { from: string; to: string; on: string }[],
  first: readonly string[],
): string {
  const lines = new Map<string, Set<string>>();
  for (const { from, to, on } of moves) {
    const pair = `${name(from)} --> ${name(to)}`;
    lines.set(pair, (lines.get(pair) ?? new Set()).add(on.replace(':', '')));
  }
  const arrows = [...lines].map(([pair, on]) => `    ${pair}: ${[...on].join(', ')}`);
  return [
    '```mermaid',
    'stateDiagram-v2',
    ...first.map((each) => `    [*] --> ${name(each)}`),
    ...arrows,
    '```',
  ].join('\n');
}

/** Mermaid takes no minus sign in the name of a state. */
const name = (state: string) => state.replaceAll('-', '_');

const code = (text: string) => `\`${text}\``;
const codes = (texts: readonly string[]) => texts.map(code).join(', ');

function enrolmentDiagram(): string {
  const moves = ENROLMENT_MOVES.flatMap(({ on, from, to }) =>
    to === 'refused' || to === 'stays'
      ? []
      : from
          .filter((state) => state !== to)
          .flatMap((state) => on.map((each) => ({ from: state, to, on: each }))),
  );
  return diagram(moves, ['unknown']);
}

function enrolmentTable(): string {
  return table(
    ['what', 'from', 'to', 'why'],
    ENROLMENT_MOVES.map(({ on, from, to, reason }) => [
      codes(on),
      codes(from),
      to === 'refused' || to === 'stays' ? to : code(to),
      reason,
    ]),
  );
}

function attemptDiagram(kind: 'install' | 'switch'): string {
  const moves = ATTEMPT_MOVES.filter((move) => (move.kind ?? kind) === kind).flatMap(({ on, from, to }) => {
    if (!isState(to)) return [];
    const phases = (from ?? PHASES[kind]).filter(
      (phase): phase is (typeof PHASES)['install' | 'switch'][number] =>
        phase !== 'ended' && phase !== to && (PHASES[kind] as readonly string[]).includes(phase),
    );
    // Where a move is made from every phase, one arrow says it.
    return from === undefined ? [{ from: 'open', to, on }] : phases.map((phase) => ({ from: phase, to, on }));
  });
  const known = moves.filter(({ to }) => !isPhase(to) || (PHASES[kind] as readonly string[]).includes(to));
  return diagram(known, ['pending']).replace(
    '[*] --> pending',
    'open: any phase\n    [*] --> pending: an order',
  );
}

const isPhase = (to: string) =>
  Object.values(PHASES).some((phases) => (phases as readonly string[]).includes(to));
const isState = (to: AttemptMove['to']) =>
  !['stays', 'power-cycle', 'lapsed', 'unmoved', 'refused'].includes(to);

function attemptTable(): string {
  return table(
    ['what', 'kind', 'from', 'if', 'to', 'why'],
    ATTEMPT_MOVES.map(({ on, kind, from, when, to, reason }) => [
      on === 'anything' ? 'anything' : code(on),
      kind ?? 'either',
      from ? codes(from) : 'any',
      when ?? '',
      isState(to) ? code(to) : to,
      reason,
    ]),
  );
}

function deadlineTable(): string {
  return table(
    ['phase', 'may take'],
    Object.entries(PATIENCE_OF).map(([phase, which]) => [
      code(phase),
      which === null ? 'for ever' : `${PATIENCE[which] / 60_000} min`,
    ]),
  );
}

function claimTable(): string {
  return table(
    ['what', 'the claim is', 'if', 'to', 'why'],
    CLAIM_MOVES.map(({ on, from, when, to, reason }) => [
      code(on),
      from.length === CLAIM_STATES.length ? 'any' : codes(from),
      when ?? '',
      to === 'stays' || to === 'refused' ? to : code(to),
      reason,
    ]),
  );
}

function observationTable(): string {
  return table(
    ['report', 'if', 'the machine is', 'why'],
    OBSERVATION_MOVES.map(({ on, when, to, reason }) => [
      on === 'anything' ? 'anything else' : codes(on),
      when ?? '',
      to === 'stays' ? 'what it was' : code(to),
      reason,
    ]),
  );
}

function orderTable(): string {
  return table(
    ['if', 'answer', 'why'],
    REPORT_ORDER.map(({ when, verdict, reason }) => [when ?? 'else', code(verdict), reason]),
  );
}

const PARTS: Readonly<Record<string, () => string>> = {
  'enrolment diagram': enrolmentDiagram,
  'enrolment table': enrolmentTable,
  'install diagram': () => attemptDiagram('install'),
  'switch diagram': () => attemptDiagram('switch'),
  'attempt table': attemptTable,
  'deadline table': deadlineTable,
  'claim table': claimTable,
  'observation table': observationTable,
  'order table': orderTable,
};

/** The page with what is made in its places: between `<!-- made: NAME -->` and `<!-- end -->`. */
export function withMadeParts(page: string): string {
  return page.replaceAll(/(<!-- made: (.*?) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin, part, end) => {
    const make = PARTS[part];
    if (!make) throw new Error(`docs/host-lifecycle.ts makes no "${part}".`);
    return `${begin}\n${make()}\n\n${end}`;
  });
}

/** The names of what is made. */
export const MADE = Object.keys(PARTS);

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(PAGE, withMadeParts(readFileSync(PAGE, 'utf8')));
