import { discardDraft } from '../blobs/image-draft.ts';
import { BuildError } from '../build/build-error.ts';
import { runBuild } from '../build/builder.ts';
import type { BuildRequest } from '../build/messages.ts';
import type { Builder, BuildOrder } from '../core/build-ports.ts';
import { BuildRefused } from '../core/build-refused.ts';
import type { Digest } from '../core/digest.ts';
import type { DiskLayout } from '../core/disk-layout.ts';

/** Builds as forked children, with what the data folder and the layouts say. */
export function dockerBuilder(
  dataDir: string,
  imagesDir: string,
  layouts: ReadonlyMap<string, DiskLayout>,
): Builder {
  const slots = [...layouts.values()].map(({ slotBytes }) => slotBytes);
  const room = slots.length > 0 ? { largestSlotBytes: Math.max(...slots) } : {};
  return async ({ id, order, contextPath }, { lookup, onProgress, signal }) => {
    const discard = (build: string) => discardDraft(dataDir, build);
    try {
      const request = { ...requestOf(id, order, contextPath), ...room };
      const built = await runBuild(request, {
        dataDir,
        imagesDir,
        lookup,
        discard,
        onProgress,
        signal,
      });
      if (built.kind === 'tool') return { kind: 'tool', dockerImage: built.dockerImage };
      const { kind, packBytes, chunks, layers, checks } = built;
      const draft = { id, digest: built.digest as Digest, kind, packBytes, chunks, layers };
      return { kind: 'image', draft, checks };
    } catch (error) {
      // What a Dockerfile or a full disk causes is told to the user; only our own mistakes keep their stack.
      if (error instanceof BuildError && error.code !== 'internal')
        throw new BuildRefused(error.message, error.checks);
      throw error;
    }
  };
}

function requestOf(id: string, order: BuildOrder, contextPath: string | null): BuildRequest {
  const { name, source, target, buildArguments, secrets, overrides } = order;
  const tar = contextPath ?? '';
  return {
    id,
    name,
    source: source.kind === 'context' ? { kind: 'context', tar, dockerfile: source.dockerfile } : source,
    buildArguments,
    secrets,
    overrides,
    ...(target !== null && { target }),
  };
}
