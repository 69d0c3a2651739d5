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
    const message = new Map(fields(value));
    const text = (key: number): string => (message.get(key) ?? '').toString();
    if (field === 1)
      steps.push({
        digest: text(1),
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

/** Field number and value of each field: bytes for wire type 2, a number for varints; fixed-width fields are passed over. */
function* fields(data: Buffer): Generator<[number, Buffer | number]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = data[at] ?? 0;
      at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  };
  while (at < data.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === 0) yield [field, varint()];
    else if (wire === 2) {
      const length = varint();
      yield [field, data.subarray(at, at + length)];
      at += length;
    } else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else return;
  }
}
