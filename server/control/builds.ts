import type {
  Builder,
  BuildLogs,
  BuildOrder,
  BuildProgress,
  BuildRecord,
  ContextSpool,
} from '../core/build-ports.ts';
import { BuildRefused } from '../core/build-refused.ts';
import type { Actor, By } from '../core/by.ts';
import { parseImageRef } from '../core/digest.ts';
import { explained } from '../core/disk-trouble.ts';
import { WarmbootError } from '../core/errors.ts';
import type { EventKind, NewEvent } from '../core/events.ts';
import { noImage } from '../core/no-image.ts';
import type { Clock, NewId, Store } from '../core/ports.ts';
import type { BuildUseCases } from '../core/use-cases.ts';
import { BuildLog } from './build-log.ts';
import { event } from './context.ts';
import type { ImageKeeper } from './image-keeper.ts';
import { type Place, waitingLine } from './waiting-line.ts';

/** So many builds are remembered, with their logs. */
const KEPT_BUILDS = 100;
/** Each is a process with a Docker build behind it, of some hundred MB and a processor or two. */
const MOST_AT_ONCE = 2;

/** What builds need. */
export type BuildContext = {
  readonly store: Store;
  readonly keeper: Pick<ImageKeeper, 'lease' | 'commit'>;
  readonly builder: Builder;
  readonly contexts: ContextSpool;
  readonly logs: BuildLogs;
  readonly recipes: BuildUseCases['recipes'];
  readonly clock: Clock;
  readonly newId: NewId;
  /** Told of a failure that is ours, not the Dockerfile's. */
  readonly onError: (error: unknown) => void;
};

type Held = Awaited<ReturnType<ContextSpool['hold']>>;
/** What a build works with from its order to its end. */
type Job = {
  readonly order: BuildOrder;
  readonly held: Held;
  readonly place: Place;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
};
/** A build that waits or runs. */
type Open = { readonly log: BuildLog; readonly stop: AbortController; readonly ended: Promise<void> };

/** Dockerfile → image: starts builds, follows them, and makes what they leave visible in one commit. */
export function buildCases(context: BuildContext): BuildUseCases {
  const { store, keeper, builder, contexts, logs, clock, newId } = context;
  const open = new Map<string, Open>();
  const line = waitingLine(MOST_AT_ONCE);
  let isStopping = false;

  async function find(id: string): Promise<BuildRecord> {
    const build = await store.build(id);
    if (!build) throw new WarmbootError('not-found', `There is no build ${id.slice(0, 64)}.`);
    return build;
  }

  /** From its turn to its end. */
  async function run(ordered: BuildRecord, { order, held, place, log, signal }: Job): Promise<void> {
    let build = ordered;
    const lease = keeper.lease();
    /** What the build is told is stored stays until it was committed or has failed. */
    const lookup: Store['chunks'] = (sha256s) => {
      lease.pin(sha256s);
      return store.chunks(sha256s);
    };
    try {
      await place.turn(signal, (buildsBefore) => log.waits(buildsBefore));
      log.waits(0);
      build = await begun(build);
      signal.throwIfAborted();
      const onProgress = (entry: BuildProgress) => log.add(entry);
      const what = { id: build.id, order, contextPath: held?.path ?? null };
      const built = await builder(what, { lookup, onProgress, signal });
      const digest = built.kind === 'image' ? built.draft.digest : null;
      const checks = built.kind === 'image' ? (built.checks ?? null) : null;
      const ended: BuildRecord = { ...build, status: 'succeeded', digest, checks, endedAt: clock() };
      const events = [told('server', build, 'build-ended', 'succeeded', { digest })];
      if (built.kind !== 'image') await store.putBuild(ended, events);
      else {
        const { name, tag } = build;
        const stored = told('server', build, 'image-stored', 'built', { digest });
        await keeper.commit(built.draft, { name, tag }, [stored, ...events], ended);
      }
    } catch (failure) {
      const error = explained(failure, 'build again');
      const message = error instanceof Error ? error.message : String(error);
      const status = signal.aborted ? 'interrupted' : 'failed';
      if (!signal.aborted && !(error instanceof WarmbootError)) context.onError(error);
      const checks = error instanceof BuildRefused ? error.checks : null;
      const ended: BuildRecord = { ...build, status, error: message, checks, endedAt: clock() };
      await store.putBuild(ended, [told('server', build, 'build-ended', status, { error: message })]);
    } finally {
      lease.release();
      log.end();
      await forgetOld();
    }
  }

  async function begun(build: BuildRecord): Promise<BuildRecord> {
    if (build.status === 'running') return build;
    const running: BuildRecord = { ...build, status: 'running', startedAt: clock() };
    await store.putBuild(running, [told('server', running, 'build-began', 'its turn has come')]);
    return running;
  }

  /** The one place where builds are forgotten: rows, and what their processes wrote. */
  async function forgetOld(): Promise<void> {
    await store.forgetBuilds(KEPT_BUILDS);
    const kept = new Set((await store.builds(KEPT_BUILDS)).map(({ id }) => id));
    await logs.keepOnly((id) => kept.has(id) || open.has(id));
  }

  /** A context must be here before its build begins, and stays until it has ended. */
  async function hold({ source }: BuildOrder): Promise<Held> {
    if (source.kind !== 'context') return null;
    const held = await contexts.hold(source.digest);
    if (held) return held;
    throw new WarmbootError(
      'invalid',
      `There is no context ${source.digest} (any more). Send it with PUT /api/v1/contexts/${source.digest}, then build again.`,
    );
  }

  return {
    recipes: context.recipes,
    find,
    async start(by, order) {
      const { name, tag } = order;
      const ref = parseImageRef(`${name}:${tag}`);
      if (ref?.kind !== 'tag')
        throw new WarmbootError(
          'invalid',
          `"${name.slice(0, 64)}:${tag.slice(0, 64)}" is no name for an image: use a-z, 0-9, ".", "_", "-" and a tag.`,
        );
      const held = await hold(order);
      const place = line.enter();
      const buildsBefore = place.before();
      const build: BuildRecord = {
        id: newId(),
        name,
        tag,
        status: buildsBefore > 0 ? 'queued' : 'running',
        digest: null,
        error: null,
        checks: null,
        startedAt: clock(),
        endedAt: null,
      };
      const log = new BuildLog();
      const stop = new AbortController();
      const written = write(by, build, buildsBefore);
      const ended = written
        .then(
          () => run(build, { order, held, place, log, signal: stop.signal }),
          // Told to who ordered it.
          () => {},
        )
        .catch(context.onError)
        .finally(async () => {
          open.delete(build.id);
          place.leave();
          await held?.release();
        })
        .catch(context.onError);
      open.set(build.id, { log, stop, ended });
      try {
        await written;
      } catch (error) {
        await ended;
        throw error;
      }
      return build;
    },

    async *log(id, signal) {
      await find(id);
      const live = open.get(id);
      if (!live) {
        let number = 0;
        for await (const entry of logs.read(id)) {
          if (signal.aborted) return;
          number += 1;
          yield { ...entry, number };
        }
        return;
      }
      yield* live.log.read(signal);
      // The log ends a moment after the record was written; whoever reads it to the end finds the build ended.
      await live.ended;
    },

    list: (limit, before) => store.builds(limit, before),

    images: () => store.images(),

    async image(text) {
      const ref = parseImageRef(text);
      const image = ref && (await store.image(ref));
      if (!image) throw noImage('not-found', text);
      return image;
    },

    async stop() {
      isStopping = true;
      for (const { stop } of open.values())
        stop.abort(new Error('The server ended before the build did. Start it again.'));
      await Promise.all([...open.values()].map(({ ended }) => ended));
    },
  };

  async function write(by: By, build: BuildRecord, buildsBefore: number): Promise<void> {
    if (isStopping)
      throw new WarmbootError(
        'unavailable',
        'The server is stopping. Order the build again when it is back.',
      );
    await store.putBuild(build, [
      buildsBefore > 0
        ? told(by, build, 'build-queued', 'operator: build', { buildsBefore })
        : told(by, build, 'build-began', 'operator: build'),
    ]);
  }
}

function told(
  actor: Actor,
  { id, name, tag }: BuildRecord,
  kind: EventKind,
  reason: string,
  facts: Record<string, unknown> = {},
): NewEvent {
  return event(kind, null, actor, reason, { build: id, name, tag, ...facts });
}
