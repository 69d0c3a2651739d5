import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { get as getTls } from 'node:https';
import path from 'node:path';

/** `DATA/server.json`: what a running server says about itself to commands on the same machine. */
export type RunningNote = {
  readonly adminUrl: string;
  /** The address that the admin plane listens on, as it was said. */
  readonly adminListen: string;
  /** The admin plane's `/healthz` gives the same, unless the note was left behind by a crash. */
  readonly instance: string;
  readonly pid: number;
  /** Verifies the admin plane, which is then called `localhost`; null where it speaks HTTP. */
  readonly caPem: string | null;
  /** As hosts are told. */
  readonly bootUrl: string;
  /** TLS for hosts: as they are told, and what verifies it; null, or left out by an older version: they speak HTTP. */
  readonly agent?: { readonly url: string; readonly caPem: string } | null;
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
    const { instance } = JSON.parse(await textOf(`${note.adminUrl}/healthz`, note.caPem)) as {
      instance?: string;
    };
    return instance === note.instance && typeof note.bootUrl === 'string' ? note : null;
  } catch {
    return null;
  }
}

/** Node's own `fetch` takes no certificate. */
function textOf(url: string, caPem: string | null): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { signal: AbortSignal.timeout(3_000), agent: false } as const;
    const onAnswer = async (answer: IncomingMessage) => {
      resolve((await answer.toArray()).join(''));
    };
    const request =
      caPem === null
        ? get(url, options, onAnswer)
        : getTls(url, { ...options, ca: caPem, servername: 'localhost' }, onAnswer);
    request.once('error', reject);
  });
}

function fileOf(dataDir: string): string {
  return path.join(dataDir, 'server.json');
}
