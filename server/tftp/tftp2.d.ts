/** The parts of `tftp2` 0.0.1 that Warmboot touches; the package has no types of its own. */
declare module 'tftp2' {
  import type { RemoteInfo, Socket } from 'node:dgram';

  class Packet {
    opcode: number;
    filename?: string;
    mode?: string;
    block?: number;
    static readonly OPCODE: {
      readonly RRQ: 1;
      readonly WRQ: 2;
      readonly DATA: 3;
      readonly ACK: 4;
      readonly ERROR: 5;
    };
    static parse(datagram: Buffer): Packet;
    static createRequest(opcode: number, name: string, mode: string): Buffer;
    static createAck(block: number): Buffer;
  }

  /** An IPv4 UDP socket that calls its own `handleMessage` for every datagram. */
  class Server extends Socket {
    handleMessage(datagram: Buffer, from: RemoteInfo): this;
  }

  type Client = {
    read(name: string, push: (data: Buffer) => void | Promise<void>, done: () => void): Promise<void>;
    write(name: string, data: Buffer): Promise<void>;
    close(): void;
  };

  const tftp: {
    (host: string, port: number): Client;
    readonly Packet: typeof Packet;
    readonly Server: typeof Server;
  };
  export default tftp;
}
