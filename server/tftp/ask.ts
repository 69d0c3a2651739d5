import { isIPv6 } from 'node:net';

import { decode, ERROR_CODE, encodeError, encodeRequest } from './packet.ts';
import { UDP } from './udp.ts';

const PATIENCE_MS = 3_000;

/**
 * Asks a TFTP server for a file and takes no more than its first word: whether it would send it. Asked twice, a second apart,
 * for a datagram may be lost.
 * @param address of the server, not a name
 * @returns null when the file comes, else why not
 */
export async function askTftp(address: string, port: number, name: string): Promise<string | null> {
  const request = encodeRequest({ kind: 'read', name, mode: 'octet', options: [['tsize', '0']] });
  let hear: (answer: string | null) => void = () => undefined;
  const heard = new Promise<string | null>((resolve) => {
    hear = resolve;
  });
  const own = await UDP.openTransferPort(isIPv6(address) ? '::' : '0.0.0.0', (datagram, from) => {
    const packet = decode(datagram);
    if (packet.kind === 'error') return hear(`it says: ${packet.message || `error ${packet.code}`}`);
    if (packet.kind !== 'oack' && packet.kind !== 'data') return;
    // The server would send the file again and again to somebody who has gone.
    own.send(encodeError(ERROR_CODE.undefined, 'only looking'), from);
    hear(null);
  });
  const ask = () => own.send(request, { address, port });
  const again = setInterval(ask, 1_000);
  const giveUp = setTimeout(() => hear(`no answer in ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
  try {
    ask();
    return await heard;
  } finally {
    clearInterval(again);
    clearTimeout(giveUp);
    await own.close();
  }
}
