import type { FindingView } from '../contract/finding.ts';

/** Everything outside that a command may touch. `main.ts` fills it from the process; tests fill it by hand. */
export interface CliWorld {
  /** As `warmboot --version` prints it. */
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Aborted by the first SIGINT or SIGTERM: commands then stop, say what goes on without them, and return. */
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  now(): number;
  /** A small UTF-8 file. Rejects as `node:fs/promises` does, with `code` ENOENT, EACCES, … */
  readFile(path: string): Promise<string>;
  /**
   * A large file, read at any place, or standard input for `-`.
   * @throws CliError when it cannot be read, or is a folder
   */
  openFile(path: string): Promise<ReadableFile>;
  /**
   * A new file that gets its name when it is complete, or standard output for `-`. Runs of zeros take no room.
   * @param options `isSecret`: for its owner alone, whatever had the name before
   * @throws CliError when it cannot be made there, or what has the name is a folder, a device or a pipe
   */
  createFile(path: string, options?: { readonly isSecret?: boolean }): Promise<NewFile>;
  /**
   * Starts a server for one command: admin plane on a free loopback port, and builds; no TFTP, no boot plane, no
   * `server.json`. Nothing is printed on stdout. Rejects with a WarmbootError whose message is shown as it is.
   */
  startServer(options: OwnServerOptions): Promise<OwnServer>;
  /** What a look at this machine finds, as it is found; see `contract/finding.ts`. `wire`: ask the network's DHCP servers too. */
  examine(options: ServeOptions, scope: { readonly wire: boolean }): AsyncIterable<FindingView>;
  /** Puts a backup into a data folder on which no server works. Rejects with a WarmbootError whose message is shown as it is. */
  restore(options: RestoreOrder): Promise<RestoreReport>;
  /** Runs `warmboot serve` until `world.signal` is aborted. @returns the exit code */
  serve(options: ServeOptions, world: CliWorld): Promise<number>;
}

export interface RestoreOrder {
  readonly data: string;
  readonly backup: ReadableFile;
  /** What the folder holds is put aside. */
  readonly replace: boolean;
}

export interface RestoreReport {
  /** Milliseconds since 1970. */
  readonly madeAt: number;
  readonly hosts: number;
  readonly attemptsEnded: number;
  readonly rolloutsPaused: number;
  readonly imagesMissing: number;
  /** Where the old state is; null: there was none. */
  readonly keptIn: string | null;
}

export interface ReadableFile {
  readonly sizeBytes: number;
  /** Bytes from `start` to before `end`; fewer where the file has become shorter. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

export interface NewFile {
  /** @throws CliError when it cannot be written */
  write(bytes: Uint8Array): Promise<void>;
  /** Synced and under its name; a file of that name is replaced. */
  finish(): Promise<void>;
  /** After a failure: nothing of it stays. Does nothing once it is finished. */
  discard(): Promise<void>;
}

export interface Output {
  readonly isTTY: boolean;
  /** Width of the terminal, asked anew at each use; undefined where there is none. */
  readonly columns: number | undefined;
  /** Its height, likewise. */
  readonly rows?: number | undefined;
  write(text: string): void;
}

export interface OwnServerOptions {
  readonly data: string;
  /** Folder of the Dockerfiles; null for the one that comes with the program. */
  readonly images: string | null;
  /** The largest build context that may be sent; left out: the server's default. */
  readonly maxContextBytes?: number;
}

interface OwnServer {
  /** `http://127.0.0.1:PORT` */
  readonly adminUrl: string;
  /** Ends its builds too. */
  close(): Promise<void>;
}

/** Where `serve` listens; port 0 is any free one. */
export interface Listen {
  /** As written, an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number;
}

/** Settings of `serve`: flag, else environment, else default. Paths are as written, relative to the working folder. */
export interface ServeOptions extends OwnServerOptions {
  readonly bootListen: Listen;
  readonly adminListen: Listen;
  /** How much of the event log is kept; null: all of it. */
  readonly events: {
    readonly days: number | null;
    readonly count: number | null;
    readonly webhookLinkLocal: boolean;
  };
  /** Metrics and probes without token; null: off. */
  readonly metricsListen: Listen | null;
  readonly stopTimeoutSeconds: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Null: the admin plane speaks HTTP. `files` null: with a certificate that the server makes. */
  readonly adminTls: {
    readonly files: { readonly certFile: string; readonly keyFile: string } | null;
  } | null;
  /** Null: `off`. */
  readonly tftpListen: Listen | null;
  readonly tftpSinglePort: boolean;
  /** Without a slash at its end; null: to be derived from where the boot plane listens. */
  readonly bootUrl: string | null;
  /** Null: none. */
  readonly powerHook: { readonly file: string; readonly timeoutMs: number; readonly atOnce: number } | null;
  /** TLS for hosts; null: they speak plain HTTP. `url` null: from the boot URL and the port. */
  readonly agent: {
    readonly listen: Listen;
    readonly url: string | null;
    readonly allowsPlain: boolean;
  } | null;
  /** Of what machines are sent, all together and each; null: no limit. Rates are bytes per second. */
  readonly limits: {
    readonly atOnce: number | null;
    readonly rate: number | null;
    readonly atOncePerHost: number | null;
    readonly ratePerHost: number | null;
  };
  /** Folders of network boot programs, before the package's own. */
  readonly nbpDirs: readonly string[];
  /** Null: off. `labels` is a selector as it was written; no `interfaces` means all but loopback. */
  readonly proxyDhcp: {
    readonly clients: 'all' | 'known';
    readonly labels: string | null;
    readonly interfaces: readonly string[];
  } | null;
}
