import type { z } from 'zod';
import type { newBuildSchema } from '../contract/builds.ts';
import type { BuildOrder, BuildSource } from '../core/build-ports.ts';
import type { Digest } from '../core/digest.ts';

/** From what was sent to what is ordered, with the defaults. */
export function orderOf(sent: z.output<typeof newBuildSchema>): BuildOrder {
  const { filesystem, size, append, addAgent } = sent;
  return {
    name: sent.name,
    tag: sent.tag ?? 'latest',
    source: sourceOf(sent),
    target: sent.target ?? null,
    buildArguments: sent.buildArguments ?? {},
    secrets: sent.secrets ?? {},
    overrides: {
      ...(filesystem !== undefined && { filesystem }),
      ...(size !== undefined && { sizeBytes: size }),
      ...(append !== undefined && { append }),
      ...(addAgent !== undefined && { addAgent }),
    },
  };
}

function sourceOf({ context, dockerfile, from }: z.output<typeof newBuildSchema>): BuildSource {
  if (from !== undefined) return { kind: 'reference', reference: from };
  if (context === undefined) return { kind: 'folder' };
  return { kind: 'context', digest: context as Digest, dockerfile: dockerfile ?? 'Dockerfile' };
}
