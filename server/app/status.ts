import type { Store } from '../core/ports.ts';
import type { Readiness } from '../core/readiness.ts';
import type { AskStatus, ServerStatus } from '../core/status.ts';
import type { Census } from '../metrics/census.ts';

type Parts = Pick<ServerStatus, 'version' | 'schema' | 'startedAt'> & {
  readonly store: Pick<Store, 'images' | 'upkeep' | 'rollouts'>;
  readonly census: Pick<Census, 'counts' | 'openAttempts'>;
  readiness(): Promise<Readiness>;
  transfers(): ServerStatus['transfers'];
  freeBytes(): Promise<number>;
  boot(): ServerStatus['boot'];
};

/** Asks every room for what it has at hand. */
export function serverStatus({ version, schema, startedAt, store, census, ...ask }: Parts): AskStatus {
  return async () => {
    const [readiness, images, storedBytes, freeBytes, rollouts] = await Promise.all([
      ask.readiness(),
      store.images(),
      store.upkeep.packBytes(),
      ask.freeBytes(),
      store.rollouts.open(),
    ]);
    return {
      ...{ version, schema, startedAt, readiness },
      hosts: census.counts(),
      openAttempts: census.openAttempts(),
      rollouts: rollouts.map(({ id, name, status, statusReason, wave, waves }) => ({
        ...{ id, name, status, reason: statusReason, wave: wave + 1, waveCount: waves.length },
      })),
      transfers: ask.transfers(),
      images: { count: images.length, storedBytes, freeBytes },
      boot: ask.boot(),
    };
  };
}
