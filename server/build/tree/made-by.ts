/** What an image's configuration says of a step. Source: OCI image specification, "config.md", `history`. */
export interface HistoryEntry {
  readonly created_by?: unknown;
  readonly comment?: unknown;
  /** It changed no file, so that it has no layer. */
  readonly empty_layer?: unknown;
}

/** Longer ones are here-documents. */
const MAX_LENGTH = 2000;

/** The instruction behind each layer, base first; null where the configuration does not say. */
export function madeByOf(history: unknown, layers: number): (string | null)[] {
  const nothing = Array.from({ length: layers }, () => null);
  if (!Array.isArray(history)) return nothing;
  const made = (history as (HistoryEntry | null)[]).filter((entry) => entry?.empty_layer !== true);
  // Images that were squashed or put together by other tools have a history of something else.
  return made.length === layers ? made.map(instructionOf) : nothing;
}

/**
 * As it stands in the Dockerfile: without the shell that BuildKit and Docker's first builder put around it, and without the values of build
 * arguments, which are nobody's business here.
 */
function instructionOf(entry: HistoryEntry | null): string | null {
  const { created_by, comment } = entry ?? {};
  const said = typeof created_by === 'string' ? created_by.trim() : '';
  const text = said.replace(/\s*# buildkit$/, '').replace(/^\/bin\/sh -c #\(nop\)\s*/, '');
  const run = /^(?:RUN )?(?:\|\d+ [\s\S]*?)?\/bin\/sh -c ([\s\S]*)$/.exec(text)?.[1];
  const instruction = (run === undefined ? text : `RUN ${run.trim()}`).slice(0, MAX_LENGTH);
  if (instruction !== '') return instruction;
  return typeof comment === 'string' && comment.trim() !== '' ? comment.trim().slice(0, MAX_LENGTH) : null;
}
