import type { TftpOptions } from './packet.ts';

/** Who asks: enough to give each machine its own file, and to tell iPXE from firmware by what it asks for. */
export type TftpRequester = {
  readonly address: string;
  readonly port: number;
  /** As asked, in the order of the request, names in lower case. */
  readonly options: TftpOptions;
};

/** A file for the time of one transfer. Reads come in rising order, the last few bytes possibly again. */
export type TftpFile = {
  readonly bytes: number;
  /** @returns exactly `length` bytes from `offset` on; anything else ends the transfer. A Buffer at once saves a turn of the loop. */
  read(offset: number, length: number): Buffer | Promise<Buffer>;
  /** Called once, when the transfer is over. */
  close?(): void | Promise<void>;
};

/** Why there is no such file for this client. The text goes into the ERROR packet: short, ASCII, no paths. */
export type TftpRefusal = {
  readonly refused: string;
  /** RFC 1350 error code; 2, access violation, unless given. */
  readonly code?: 0 | 1 | 2;
};

/** The port behind which all files lie; null: not known here ("File not found"). */
export type TftpFiles = (name: string, from: TftpRequester) => Promise<TftpFile | TftpRefusal | null>;

/** A file made of bytes in memory. */
export function fileOf(content: Buffer | string): TftpFile {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return { bytes: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** Asks one source after the other; the first that knows the name answers. */
export function firstOf(...sources: readonly TftpFiles[]): TftpFiles {
  return async (name, from) => {
    for (const source of sources) {
      const answer = await source(name, from);
      if (answer !== null) return answer;
    }
    return null;
  };
}

/** Files whose content is made when they are asked for, by exact name. */
export function generatedFiles(makers: Readonly<Record<string, (from: TftpRequester) => string>>): TftpFiles {
  const byName = new Map(Object.entries(makers));
  return async (name, from) => {
    const make = byName.get(name);
    return make ? fileOf(make(from)) : null;
  };
}
