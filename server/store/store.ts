import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Host } from '../core/host.ts';
import type { ChunkPlace, Clock, Decision, Records, Scope, Store, StoredImage } from '../core/ports.ts';
import { buildRows } from './build-rows.ts';
import { CommitGroup, type OnCommit } from './commit-group.ts';
import { imageCommits } from './commit-image.ts';
import { type Db, schemaOf } from './database.ts';
import { discoveryRows } from './discovery-rows.ts';
import { eventRows } from './event-rows.ts';
import { fileRows } from './file-rows.ts';
import { sqliteFleet } from './fleet.ts';
import { hostRows } from './host-rows.ts';
import { imageDetailRows } from './image-detail-rows.ts';
import { imageRows } from './image-rows.ts';
import { journalOf } from './journal.ts';
import { lookupRows } from './lookup-rows.ts';
import { mirrorRows } from './mirror-rows.ts';
import { onceRows } from './once-rows.ts';
import { powerRows } from './power-rows.ts';
import { profileRows } from './profile-rows.ts';
import { reportRows } from './report-rows.ts';
import { restoreRows } from './restore-rows.ts';
import { rolloutRows } from './rollout-rows.ts';
import { tokenRows } from './token-rows.ts';
import { trustRows } from './trust-rows.ts';
import { upkeepRows } from './upkeep-rows.ts';
import { webhookRows } from './webhook-rows.ts';

/** Chunks that are looked up before others get their turn. */
const LOOKUP = 2_000;

/** The store on SQLite. The port is asynchronous, so that another database can stand behind it. */
export function sqliteStore(db: Db, clock: Clock, onCommit?: OnCommit): Store {
  const hosts = hostRows(db);
  const reports = reportRows(db);
  const events = eventRows(db, clock);
  const images = imageRows(db, clock);
  const builds = buildRows(db, clock);
  const discovery = discoveryRows(db);
  const profiles = profileRows(db);
  const files = fileRows(db, clock);
  const rollouts = rolloutRows(db, hosts);
  const listeners = new Set<() => void>();
  /** Until the next transaction: every manifest asks for its image. */
  const keptImages = new Map<string, StoredImage>();
  const journal = journalOf(db);
  const group: CommitGroup = new CommitGroup(db, journal, {
    marks: () => once.mark(),
    onUndone: hosts.undone,
    onEnd: (isOk) => {
      hosts.ended(isOk);
      keptImages.clear();
    },
    onCommit: (calls, seconds, isOk) => {
      onCommit?.(calls, seconds, isOk);
      if (events.takeNews() && isOk) for (const onNews of [...listeners]) onNews();
    },
  });
  const once = onceRows(db, group, clock);
  const { passOver, ...webhooks } = webhookRows(db, group, events.add);
  const commits = imageCommits(group, images, { build: builds.put, event: events.add });

  function change<Answer>(
    { macs = [], hosts: named = [], profile }: Scope,
    decide: (records: Records) => Decision<Answer>,
  ) {
    const users = profile === undefined ? [] : profiles.users(profile);
    const ids = new Set([...named, ...macs.flatMap((mac) => hosts.idOf(mac) ?? []), ...users]);
    const before = new Map([...ids].flatMap((id) => entry(hosts.read(id))));
    const { inventory, policy, waiting } = discovery;
    const decision = decide({
      hosts: [...before.values()],
      reports,
      attempts: hosts.attempts,
      image: images.image,
      inventory,
      policy,
      profile: profiles.get,
      fileSet: files.get,
      waiting,
      rollouts: rollouts.records,
    });
    const leftSets = setsLetGo(before, decision);
    for (const set of decision.fileSets ?? []) files.put(set);
    // What goes makes room first: a host that is joined with it may take its MACs.
    for (const id of decision.removed ?? []) {
      hosts.remove(id);
      // One that comes anew under the same id has nothing of it.
      before.delete(id);
    }
    for (const attempt of decision.ended ?? []) hosts.writeAttempt(attempt);
    if (decision.profile) profiles.put(decision.profile);
    if (decision.removedProfile !== undefined) profiles.remove(decision.removedProfile);
    for (const host of decision.hosts ?? []) hosts.write(host, before.get(host.enrolment.id) ?? null);
    for (const sha256 of leftSets) files.dropUnnamed(sha256);
    for (const told of decision.inventories ?? []) discovery.put(told);
    if (decision.policy) discovery.putPolicy(decision.policy);
    if (decision.rollouts) rollouts.write(decision.rollouts);
    for (const key of decision.reports ?? []) reports.add(key);
    for (const event of decision.events ?? []) events.add(event);
    return decision.answer;
  }

  return {
    change: (scope, decide) => group.run(() => change(scope, decide)),
    host: async (by) => {
      const id = 'id' in by ? by.id : hosts.idOf(by.mac);
      return id === null ? null : hosts.read(id);
    },
    fleet: sqliteFleet(hosts),
    once,
    profiles: {
      get: async (name) => profiles.get(name),
      users: async (name) => profiles.users(name),
      list: async () => profiles.all(),
    },
    fileSet: async (sha256) => files.get(sha256),
    attempts: async (hostId) => hosts.attempts(hostId),
    attemptPage: async (hostId, after, limit) => hosts.attemptPage(hostId, after, limit),
    due: async (now) => hosts.due(now),
    forgettable: async (now, limit) => discovery.forgettable(now, limit),
    undecided: async () => discovery.undecided(),
    inventory: async (hostId) => discovery.inventory(hostId),
    policy: async () => discovery.policy(),
    advanceDeadlines: (latest) => group.run(() => hosts.advance(latest)),
    postponeDeadlines: (earliest) => group.run(() => hosts.postpone(earliest)),
    // Whoever follows the log must not know of what a power cut takes back: other events will have those ids.
    events: async (query) => {
      await group.settled();
      return events.list(query);
    },
    webhooks,
    log: {
      bounds: async () => events.bounds(),
      prune: (limits, most) =>
        group.run(() => {
          const went = events.prune(limits, most);
          if (went) for (const told of passOver(went.upTo, clock())) events.add(told);
          return went?.gone ?? 0;
        }),
      pruneReports: (after, most) => group.run(() => reports.prune(after, most)),
      listen: (onNews) => {
        listeners.add(onNews);
        return () => void listeners.delete(onNews);
      },
    },
    async image(ref) {
      const key = ref.kind === 'digest' ? ref.digest : `${ref.name}:${ref.tag}`;
      const known = keptImages.get(key) ?? images.image(ref);
      if (known) keptImages.set(key, known);
      return known;
    },
    images: async () => images.all(),
    commitImage: commits.commit,
    chunks: async (sha256s) => {
      const found = new Map<string, ChunkPlace>();
      for (let at = 0; at < sha256s.length; at += LOOKUP) {
        for (const [sha256, place] of images.places(sha256s.slice(at, at + LOOKUP))) found.set(sha256, place);
        await nextTurn();
      }
      return found;
    },
    imageDetails: imageDetailRows(db),
    packIds: async () => images.packIds(),
    trust: trustRows(db, group, events.add),
    upkeep: upkeepRows(db, group, {
      addEvent: events.add,
      isWriting: commits.isWriting,
      isWritingPack: commits.isWritingPack,
    }),
    rollouts: rollouts.store,
    tokens: tokenRows(db, group, { addEvent: events.add, clock }),
    lookups: lookupRows(db),
    power: powerRows(db),
    mirrors: mirrorRows(db, group, events.add),
    restores: restoreRows(db, group, events.add),
    putBuild: (build, told) =>
      group.run(() => {
        builds.put(build);
        for (const event of told) events.add(event);
      }),
    build: async (id) => builds.get(id),
    builds: async (limit, before) => builds.newest(limit, before),
    forgetBuilds: (keep) => group.run(() => builds.forget(keep)),
    interruptBuilds: () => group.run(() => builds.interrupt()),
    settled: () => group.settled(),
    probe: () => group.run(() => touch(db)),
    close: journal.close,
  };
}

/** Sets of files that a host had and has no more. */
function setsLetGo(
  before: ReadonlyMap<string, Host>,
  { hosts = [], removed = [] }: Pick<Decision<unknown>, 'hosts' | 'removed'>,
): ReadonlySet<string> {
  const setOf = (host: Host | undefined) => host?.enrolment.files?.sha256;
  const changed = hosts.filter((host) => setOf(before.get(host.enrolment.id)) !== setOf(host));
  const ids = [...removed, ...changed.map(({ enrolment }) => enrolment.id)];
  return new Set(ids.flatMap((id) => setOf(before.get(id)) ?? []));
}

/** Changes a page, and nothing that it says. */
function touch(db: Db): void {
  db.pragma(`user_version = ${schemaOf(db)}`);
}

function entry(host: Host | null): [string, Host][] {
  return host ? [[host.enrolment.id, host]] : [];
}
