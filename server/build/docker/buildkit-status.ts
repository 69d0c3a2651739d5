import { fields } from './protobuf.ts';

/**
 * BuildKit's progress messages, which arrive as protobuf in base64. Decoded here in a few lines: dockerode's own
 * decoder flattens them to text and loses which step a log line belongs to.
 * Source: moby/buildkit api/services/control/control.proto, StatusResponse; protobuf encoding guide.
 */
export interface BuildkitStatus {
  readonly steps: readonly BuildkitStep[];
  readonly logs: readonly { readonly step: string; readonly text: Buffer }[];
}

/** A vertex of the build graph; told several times, first when it is known, then as it changes. */
export interface BuildkitStep {
  /** Names the step within this build. */
  readonly digest: string;
  /** Digests of the steps that it is made from. */
  readonly inputs: readonly string[];
  /** "[stage-0 2/3] RUN …", or "[internal] …" for BuildKit's own chores. */
  readonly name: string;
  readonly cached: boolean;
  readonly started: boolean;
  readonly completed: boolean;
  /** Empty while all is well. */
  readonly error: string;
}

export function decodeBuildkitStatus(base64: string): BuildkitStatus {
  const steps: BuildkitStep[] = [];
  const logs: { step: string; text: Buffer }[] = [];
  for (const [field, value] of fields(Buffer.from(base64, 'base64'))) {
    if (!Buffer.isBuffer(value)) continue;
    const parts = [...fields(value)];
    const message = new Map(parts);
    const text = (key: number): string => (message.get(key) ?? '').toString();
    if (field === 1)
      steps.push({
        digest: text(1),
        inputs: parts.flatMap(([key, input]) => (key === 2 ? [input.toString()] : [])),
        name: text(3),
        cached: message.get(4) === 1,
        started: message.has(5),
        completed: message.has(6),
        error: text(7),
      });
    if (field === 3) {
      const bytes = message.get(4);
      logs.push({ step: text(1), text: Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0) });
    }
  }
  return { steps, logs };
}
