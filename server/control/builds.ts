import { parseImageRef } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { EventKind, NewEvent } from '../core/events.ts';
import type { Builder, BuildRecord, Built, Clock, NewId, Store } from '../core/ports.ts';
import type { BuildUseCases } from '../core/use-cases.ts';
import { BuildLog } from './build-log.ts';

/** What builds need. `builder` is null where this server does not build. */
export type BuildContext = {
  readonly store: Store;
  readonly builder: Builder;
  readonly clock: Clock;
  readonly newId: NewId;
  /** Told of a failure that is ours, not the Dockerfile's. */
  readonly onError: (error: unknown) => void;
};

type Running = { readonly log: BuildLog; readonly stop: AbortController; readonly ended: Promise<void> };

/** Dockerfile → image: starts builds, follows them, and makes what they leave visible in one commit. */
export function buildCases(context: BuildContext): BuildUseCases {
  const { store, builder, clock, newId } = context;
  const running = new Map<string, Running>();

  async function find(id: string): Promise<BuildRecord> {
    const build = await store.build(id);
    if (!build) throw new WarmbootError('not-found', `There is no build ${id.slice(0, 64)}.`);
    return build;
  }

  async function run(build: BuildRecord, log: BuildLog, signal: AbortSignal): Promise<void> {
    try {
      const built = await builder(build, { onProgress: (entry) => log.add(entry), signal });
      await finish(build, built);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const status = signal.aborted ? 'interrupted' : 'failed';
      if (!signal.aborted && !(error instanceof WarmbootError)) context.onError(error);
      await store.putBuild({ ...build, status, error: message, endedAt: clock() });
      await note(told(build, 'build-ended', status, { error: message }));
    } finally {
      log.end();
    }
  }

  async function finish(build: BuildRecord, built: Built): Promise<void> {
    const digest = built.kind === 'image' ? built.image.digest : null;
    if (built.kind === 'image') {
      const { name, tag } = build;
      await store.commitImage(built.image, { name, tag }, [told(build, 'image-stored', 'built', { digest })]);
    }
    await store.putBuild({ ...build, status: 'succeeded', digest, endedAt: clock() });
    await note(told(build, 'build-ended', 'succeeded', { digest }));
  }

  function note(event: NewEvent): Promise<void> {
    return store.change({}, () => ({ answer: undefined, events: [event] }));
  }

  return {
    find,
    async start(name, tag) {
      const ref = parseImageRef(`${name}:${tag}`);
      if (ref?.kind !== 'tag')
        throw new WarmbootError(
          'invalid',
          `"${name.slice(0, 64)}:${tag.slice(0, 64)}" is no name for an image: use a-z, 0-9, ".", "_", "-" and a tag.`,
        );
      const build: BuildRecord = {
        id: newId(),
        name,
        tag,
        status: 'running',
        digest: null,
        error: null,
        startedAt: clock(),
        endedAt: null,
      };
      await store.putBuild(build);
      await note(told(build, 'build-began', 'operator: build'));
      const log = new BuildLog();
      const stop = new AbortController();
      running.set(build.id, { log, stop, ended: run(build, log, stop.signal).catch(context.onError) });
      return build;
    },

    async *log(id, signal) {
      await find(id);
      const live = running.get(id);
      if (!live) return;
      yield* live.log.read(signal);
      // The log ends a moment after the record was written; whoever reads it to the end finds the build ended.
      await live.ended;
    },

    images: () => store.images(),

    async image(text) {
      const ref = parseImageRef(text);
      const image = ref && (await store.image(ref));
      if (!image) throw new WarmbootError('not-found', `There is no image ${text.slice(0, 128)}.`);
      return image;
    },

    async stop() {
      for (const { stop } of running.values()) stop.abort();
      await Promise.all([...running.values()].map(({ ended }) => ended));
    },
  };
}

function told(
  { id, name, tag }: BuildRecord,
  kind: EventKind,
  reason: string,
  facts: Record<string, unknown> = {},
): NewEvent {
  const data = { build: id, name, tag, ...facts };
  return { kind, hostId: null, attempt: null, actor: 'server', reason, data };
}
