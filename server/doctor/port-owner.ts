import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { boundSockets } from './socket-table.ts';

/** A process that has a port open. */
export type PortOwner = { readonly pid: number; readonly name: string };

/**
 * Who listens on a port of this machine, whatever the address.
 * @param proc `/proc`
 * @returns null when nobody does, or when only root may know
 */
export async function portOwner(
  kind: 'tcp' | 'udp',
  port: number,
  proc: string = '/proc',
): Promise<PortOwner | null> {
  const tables = await Promise.all(
    [kind, `${kind}6`].map((name) => readFile(path.join(proc, 'net', name), 'utf8').catch(() => '')),
  );
  const inodes = tables
    .flatMap((table) => boundSockets(table, kind))
    .filter((socket) => socket.port === port)
    .map(({ inode }) => `socket:[${inode}]`);
  if (inodes.length === 0) return null;
  for (const pid of await readdir(proc)) {
    if (/^\d+$/.test(pid) && (await holds(path.join(proc, pid, 'fd'), inodes)))
      return { pid: Number(pid), name: await nameOf(path.join(proc, pid)) };
  }
  return null;
}

async function holds(folder: string, inodes: readonly string[]): Promise<boolean> {
  // A process may end while it is looked at, and another user's may not be looked at.
  const fds = await readdir(folder).catch(() => []);
  for (const fd of fds) {
    const target = await readlink(path.join(folder, fd)).catch(() => '');
    if (inodes.includes(target)) return true;
  }
  return false;
}

async function nameOf(folder: string): Promise<string> {
  const name = await readFile(path.join(folder, 'comm'), 'utf8').catch(() => '');
  return name.trim() || 'a process';
}
