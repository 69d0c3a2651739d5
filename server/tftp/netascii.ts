import { fileOf, type TftpFile, type TftpRefusal } from './files.ts';

const LF = 0x0a;
const CR = 0x0d;

/** The text form of RFC 764 as RFC 1350 wants it: LF becomes CR LF, a CR of its own becomes CR NUL. */
export function toNetascii(text: Buffer): Buffer {
  const out: number[] = [];
  for (const byte of text) {
    if (byte === LF) out.push(CR, LF);
    else if (byte === CR) out.push(CR, 0);
    else out.push(byte);
  }
  return Buffer.from(out);
}

/** The converted size is not known before all is converted: so only what is small enough to be a text. */
const MAX_TEXT_BYTES = 1024 * 1024;

/** A file as netascii; refused where the mode was surely a mistake. Takes over the file, and closes it. */
export async function asNetascii(file: TftpFile): Promise<TftpFile | TftpRefusal> {
  try {
    if (file.bytes > MAX_TEXT_BYTES) return { refused: 'too large for netascii, ask in octet mode', code: 0 };
    return fileOf(toNetascii(await file.read(0, file.bytes)));
  } finally {
    await file.close?.();
  }
}
