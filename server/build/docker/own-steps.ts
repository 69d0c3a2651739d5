import type { BuildkitStep } from './buildkit-status.ts';

/** "[2/7] RUN …", "[build 1/3] FROM …": a line of a Dockerfile; its stage, which of how many. */
const STEP_OF_STAGE = /^\[(?!internal\])(.*?) *(\d+)\/(\d+)\] /;

/**
 * Tells a build's own steps from those of another one with the same content: BuildKit does the work once, and tells both of it, under the
 * name that it has there. A build's own steps are named before the first begins, though what begins at once may be seen under way already;
 * so ours are those that were named in time, what they are made from, and stages that are there from their first step to their last.
 */
export function ownSteps() {
  const seen = new Map<string, BuildkitStep>();
  const namedInTime = new Set<string>();
  /** Asked for at each line of the log; only what comes can change it. */
  let ours: readonly BuildkitStep[] | null = null;

  function find(): readonly BuildkitStep[] {
    const whole = wholeStages([...seen.values()]);
    const digests = new Set<string>();
    const add = (digest: string): void => {
      const step = seen.get(digest);
      if (!step || digests.has(digest)) return;
      digests.add(digest);
      for (const input of step.inputs) add(input);
    };
    for (const { digest, name } of seen.values()) {
      const stage = stageOf(name);
      if (stage === null || namedInTime.has(digest) || whole.has(stage.key)) add(digest);
    }
    return [...seen.values()].filter(({ digest }) => digests.has(digest));
  }

  return {
    note(step: BuildkitStep): void {
      if (!seen.has(step.digest) && !step.started) namedInTime.add(step.digest);
      seen.set(step.digest, step);
      ours = null;
    },
    /** In the order in which they were named, BuildKit's own chores among them. */
    all(): readonly BuildkitStep[] {
      ours ??= find();
      return ours;
    },
  };
}

/** Whether a line of the Dockerfile makes it; the rest are BuildKit's own chores. */
export function isOfStage({ name }: BuildkitStep): boolean {
  return STEP_OF_STAGE.test(name);
}

type Stage = { readonly key: string; readonly at: number; readonly of: number };

function stageOf(name: string): Stage | null {
  const [, stage, at, of] = STEP_OF_STAGE.exec(name) ?? [];
  return stage === undefined ? null : { key: `${stage} ${of}`, at: Number(at), of: Number(of) };
}

function wholeStages(steps: readonly BuildkitStep[]): ReadonlySet<string> {
  const found = new Map<string, { readonly of: number; readonly at: Set<number> }>();
  for (const { name } of steps) {
    const stage = stageOf(name);
    if (stage === null) continue;
    const known = found.get(stage.key) ?? { of: stage.of, at: new Set() };
    found.set(stage.key, known);
    known.at.add(stage.at);
  }
  return new Set([...found].flatMap(([key, { of, at }]) => (at.size === of ? [key] : [])));
}
