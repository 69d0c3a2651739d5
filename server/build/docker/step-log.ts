import { StringDecoder } from 'node:string_decoder';
import type { Report } from '../messages.ts';
import type { BuildkitStatus, BuildkitStep } from './buildkit-status.ts';
import { isOfStage, ownSteps } from './own-steps.ts';

const LAST_LINES = 15;

/** Follows the steps of one build: reports what begins, what is cached, what they say; explains what failed. */
export function createStepLog(report: Report) {
  const steps = ownSteps();
  const told = new Set<string>();
  const lastLines = new Map<string, string[]>();
  const unfinished = new Map<string, string>();
  /** A message may end in the middle of a character. */
  const decoders = new Map<string, StringDecoder>();

  /** Of all stages. */
  const count = (): { stepsDone: number; stepsTotal: number } => {
    const counted = steps.all().filter(isOfStage);
    return { stepsDone: counted.filter(({ completed }) => completed).length, stepsTotal: counted.length };
  };

  const line = (step: string, text: string): void => {
    const lines = lastLines.get(step) ?? [];
    lines.push(text);
    lastLines.set(step, lines.slice(-LAST_LINES));
    report({ phase: 'docker', message: text, log: true, ...count() });
  };

  /** What a step said last may lack its line end. */
  const finish = (step: string): void => {
    const rest = (unfinished.get(step) ?? '') + (decoders.get(step)?.end() ?? '');
    unfinished.delete(step);
    if (rest !== '') line(step, rest);
  };

  /** Once when it begins, or when it turns out that it need not. */
  const tell = ({ digest, name, started, completed, cached }: BuildkitStep): void => {
    if (!started || name.startsWith('[internal]')) return;
    const key = `${digest} ${cached}`;
    if (told.has(key) || (completed && !cached)) return;
    told.add(key);
    report({ phase: 'docker', message: `${shortName(name)}${cached ? ' (cached)' : ''}`, ...count() });
  };

  return {
    take(status: BuildkitStatus): void {
      for (const step of status.steps) steps.note(step);
      const ours = steps.all();
      // One may begin and end within a message.
      for (const step of status.steps) if (ours.some(({ digest }) => digest === step.digest)) tell(step);
      // Others turn out to be ours by what came now.
      for (const step of ours) tell(step);
      for (const { step, text } of status.logs) {
        const decoder = decoders.get(step) ?? new StringDecoder('utf8');
        decoders.set(step, decoder);
        const lines = ((unfinished.get(step) ?? '') + decoder.write(text)).split('\n');
        unfinished.set(step, lines.pop() ?? '');
        // A carriage return redraws a line; what was drawn last is what counts.
        for (const each of lines) line(step, each.replace(/\r+$/, '').split('\r').pop() ?? '');
      }
      for (const { completed, digest } of status.steps) if (completed) finish(digest);
    },
    explain(tag: string, refusal: string | null): string {
      const failed = steps.all().find(({ error }) => error !== '' && !error.includes('context canceled'));
      const wanted = /secret (\S+): not found/.exec(`${refusal} ${failed?.error}`)?.[1];
      if (wanted !== undefined)
        return `The Dockerfile of ${tag} asks for the secret "${wanted}", which was not given. Add --secret id=${wanted},src=FILE or --secret id=${wanted},env=NAME.`;
      if (!failed) return `Docker could not build ${tag}: ${refusal ?? 'its answer ended early'}.`;
      finish(failed.digest);
      const code = /exit code: (\d+)/.exec(failed.error)?.[1];
      const what = code === undefined ? failed.error : `ended with exit code ${code}`;
      const log = (lastLines.get(failed.digest) ?? []).map((text) => `  | ${text}`);
      return [`The Dockerfile of ${tag} failed at ${shortName(failed.name)}: ${what}.`, ...log].join('\n');
    },
  };
}

/** A RUN line can be as long as a script; its beginning tells which one it is. */
function shortName(name: string): string {
  const plain = name.replaceAll('docker.io/library/', '').replaceAll('docker.io/', '').replace(/\s+/g, ' ');
  return plain.length > 160 ? `${plain.slice(0, 159)}…` : plain;
}
