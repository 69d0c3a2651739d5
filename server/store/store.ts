import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Host } from '../core/host.ts';
import type { ChunkPlace, Clock, Decision, Records, Scope, Store } from '../core/ports.ts';
import { buildRows } from './build-rows.ts';
import { CommitGroup } from './commit-group.ts';
import { imageCommits } from './commit-image.ts';
import type { Db } from './database.ts';
import { discoveryRows } from './discovery-rows.ts';
import { eventRows } from './event-rows.ts';
import { hostRows } from './host-rows.ts';
import { imageRows } from './image-rows.ts';
import { reportRows } from './report-rows.ts';
import { upkeepRows } from './upkeep-rows.ts';

/** Chunks that are looked up before others get their turn. */
const LOOKUP = 2_000;

/** The store on SQLite. The port is asynchronous, so that another database can stand behind it. */
export function sqliteStore(db: Db, clock: Clock): Store {
  const hosts = hostRows(db);
  const reports = reportRows(db);
  const events = eventRows(db, clock);
  const images = imageRows(db, clock);
  const builds = buildRows(db, clock);
  const discovery = discoveryRows(db);
  const group = new CommitGroup(db);
  const commits = imageCommits(group, images, { build: builds.put, event: events.add });

  function change<Answer>(
    { macs = [], hosts: named = [] }: Scope,
    decide: (records: Records) => Decision<Answer>,
  ) {
    const ids = new Set([...named, ...macs.flatMap((mac) => hosts.idOf(mac) ?? [])]);
    const before = new Map([...ids].flatMap((id) => entry(hosts.read(id))));
    const { inventory, policy, waiting } = discovery;
    const decision = decide({
      hosts: [...before.values()],
      reports,
      image: images.image,
      inventory,
      policy,
      waiting,
    });
    // What goes makes room first: a host that is joined with it may take its MACs.
    for (const id of decision.removed ?? []) hosts.remove(id);
    for (const attempt of decision.ended ?? []) hosts.writeAttempt(attempt);
    for (const host of decision.hosts ?? []) hosts.write(host, before.get(host.enrolment.id) ?? null);
    for (const told of decision.inventories ?? []) discovery.put(told);
    if (decision.policy) discovery.putPolicy(decision.policy);
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
    hosts: async () => hosts.all(),
    attempts: async (hostId) => hosts.attempts(hostId),
    due: async (now) => hosts.due(now),
    forgettable: async (now, limit) => discovery.forgettable(now, limit),
    undecided: async () => discovery.undecided(),
    inventory: async (hostId) => discovery.inventory(hostId),
    policy: async () => discovery.policy(),
    postponeDeadlines: (earliest) => group.run(() => hosts.postpone(earliest)),
    events: async (query) => events.list(query),
    image: async (ref) => images.image(ref),
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
    packIds: async () => images.packIds(),
    upkeep: upkeepRows(db, group, { addEvent: events.add, isWriting: commits.isWriting }),
    putBuild: (build, told) =>
      group.run(() => {
        builds.put(build);
        for (const event of told) events.add(event);
      }),
    build: async (id) => builds.get(id),
    builds: async (limit) => builds.newest(limit),
    forgetBuilds: (keep) => group.run(() => builds.forget(keep)),
    interruptBuilds: () => group.run(() => builds.interrupt()),
    close: () => void db.close(),
  };
}

function entry(host: Host | null): [string, Host][] {
  return host ? [[host.enrolment.id, host]] : [];
}
