/** The kernel's tables of sockets, `/proc/net/{tcp,tcp6,udp,udp6}` (proc_net(5)): which socket has which port. */

export type BoundSocket = {
  /** Eight or 32 hex digits, in the byte order of the machine, as the kernel prints them. */
  readonly address: string;
  readonly port: number;
  /** By which `/proc/PID/fd` names it, as `socket:[INODE]`. */
  readonly inode: string;
};

/** State of a TCP socket that listens; UDP ones that are not connected have 07 (include/net/tcp_states.h). */
const LISTENING = { tcp: '0A', udp: '07' } as const;

/** @param table the text of one of the files */
export function boundSockets(table: string, kind: 'tcp' | 'udp'): BoundSocket[] {
  return table.split('\n').flatMap((line) => {
    const match =
      /^\s*\d+: ([0-9A-F]{8,32}):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) \S+ \S+ \S+ +\d+ +\d+ (\d+)/.exec(line);
    const [, address, port, state, inode] = match ?? [];
    if (!address || !port || !inode || state !== LISTENING[kind]) return [];
    return [{ address, port: Number.parseInt(port, 16), inode }];
  });
}
