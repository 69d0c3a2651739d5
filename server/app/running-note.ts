import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** `DATA/server.json`: what a running server says about itself to commands on the same machine. */
export type RunningNote = {
  readonly adminUrl: string;
  /** The admin plane's `/healthz` gives the same, unless the note was left behind by a crash. */
  readonly instance: string;
  readonly pid: number;
  /** As hosts are told. */
  readonly bootUrl: string;
  readonly tftp: { readonly host: string; readonly port: number } | null;
  /** `wanted`: names, empty for all interfaces; `isLimited`: to some hosts. */
  readonly proxyDhcp: { readonly wanted: readonly string[]; readonly isLimited: boolean } | null;
};

/** @returns how to take it back */
export async function writeRunningNote(dataDir: string, note: RunningNote): Promise<() => Promise<void>> {
  const file = fileOf(dataDir);
  await writeFile(`${file}.tmp`, `${JSON.stringify(note)}\n`);
  await rename(`${file}.tmp`, file);
  return () => rm(file, { force: true });
}

/** @returns null when no server runs on this folder, or one of another version whose note says less */
export async function readRunningNote(dataDir: string): Promise<RunningNote | null> {
  try {
    const note = JSON.parse(await readFile(fileOf(dataDir), 'utf8')) as RunningNote;
    const health = await fetch(`${note.adminUrl}/healthz`, { signal: AbortSignal.timeout(3_000) });
    const { instance } = (await health.json()) as { instance?: string };
    return instance === note.instance && typeof note.bootUrl === 'string' ? note : null;
  } catch {
    return null;
  }
}

function fileOf(dataDir: string): string {
  return path.join(dataDir, 'server.json');
}
