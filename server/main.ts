import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pino } from 'pino';
import packageJson from '../package.json' with { type: 'json' };
import type { Running } from './app.ts';
import { runCli } from './cli/cli.ts';
import { openFile } from './cli/files.ts';
import { createFile } from './cli/output-file.ts';
import { harmlessJson } from './cli/text.ts';
import type { CliWorld, Output, OwnServerOptions, ServeOptions } from './cli/world.ts';
import type { Config, TlsFiles } from './config.ts';
import { ROOT } from './lib/product.ts';

/** The only reader of environment, arguments and signals: gives them to the command line, and the command line a server. */

const interrupt = new AbortController();

function onSignal(signal: NodeJS.Signals): void {
  // Asked twice, it does not argue.
  if (interrupt.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143);
  interrupt.abort(signal);
}

/* Each module costs a millisecond or two of every start: a command loads what it needs. */
const loadServer = () => import('./app.ts');
const loadDoctor = () => import('./app/examine.ts');
const loadRestore = () => import('./app/restore.ts');

/** Set once standard output is lost: the command is ended, and what it still says on the way would only hide why. */
let isOutputLost = false;

function onOutputError(error: NodeJS.ErrnoException): void {
  // `warmboot hosts | head` is no error.
  if (error.code === 'EPIPE' || isOutputLost) return;
  isOutputLost = true;
  process.exitCode = 1;
  const why = error.code === 'ENOSPC' ? 'no space is left there' : error.message;
  process.stderr.write(`warmboot: standard output cannot be written: ${why}. Send it elsewhere.\n`);
  if (!interrupt.signal.aborted) interrupt.abort(error);
}

function output(stream: NodeJS.WriteStream, onError: (error: NodeJS.ErrnoException) => void): Output {
  stream.on('error', onError);
  return {
    get isTTY() {
      return Boolean(stream.isTTY);
    },
    get columns() {
      return stream.columns;
    },
    get rows() {
      return stream.rows;
    },
    write: (text) => {
      if (!isOutputLost) stream.write(text);
    },
  };
}

function baseConfig({
  data,
  images,
  maxContextBytes,
}: OwnServerOptions): Omit<Config, 'adminListen' | 'boot'> {
  return {
    dataDir: path.resolve(data),
    imagesDir: images === null ? path.join(ROOT, 'images') : path.resolve(images),
    migrationsDir: path.join(ROOT, 'migrations'),
    ...(maxContextBytes !== undefined && { maxContextBytes }),
  };
}

/** Logs go to stderr as JSON lines: stdout is for what programs read. What strangers asked for is in them, and people read along. */
function loggerAt(level: string) {
  const stderr = pino.destination({ dest: 2, sync: false });
  return pino({ level, redact: ['token', '*.token'] }, { write: (line) => stderr.write(harmlessJson(line)) });
}

function serverConfig(options: ServeOptions): Config {
  return {
    ...baseConfig(options),
    version: packageJson.version,
    adminListen: options.adminListen,
    events: options.events,
    metricsListen: options.metricsListen,
    stopTimeoutMs: options.stopTimeoutSeconds * 1000,
    ...(options.adminTls && { adminTls: { files: absolute(options.adminTls.files) } }),
    boot: {
      listen: options.bootListen,
      tftp: options.tftpListen && { ...options.tftpListen, singlePort: options.tftpSinglePort },
      url: options.bootUrl,
      nbpFolders: options.nbpDirs.map((dir) => path.resolve(dir)),
      powerHook: options.powerHook && { ...options.powerHook, file: path.resolve(options.powerHook.file) },
      limits: options.limits,
      proxyDhcp: options.proxyDhcp,
      ...(options.agent && { agent: options.agent }),
    },
  };
}

function absolute(files: TlsFiles | null): TlsFiles | null {
  return files && { certFile: path.resolve(files.certFile), keyFile: path.resolve(files.keyFile) };
}

async function serve(options: ServeOptions, world: CliWorld): Promise<number> {
  const logger = loggerAt(options.logLevel);
  const { start } = await loadServer();
  const running: Running = await start(serverConfig(options), logger);
  if (running.newAdminToken !== null) world.stderr.write(`token ${running.newAdminToken}\n`);
  const ready = {
    ready: true,
    adminUrl: running.adminUrl,
    ...(running.tls && { caFile: running.tls.caFile }),
    bootUrl: running.boot?.url,
    bootPort: running.boot?.port,
    ...(running.boot?.agentUrl && { agentUrl: running.boot.agentUrl }),
    tftpPort: running.boot?.tftpPort,
    proxyDhcp: running.boot?.proxyDhcp,
  };
  world.stdout.write(`${JSON.stringify(ready)}\n`);
  // Without TLS there is nothing to load anew, and a terminal that is closed ends the server as ever.
  if (running.tls) process.on('SIGHUP', running.tls.reload);
  await new Promise<void>((resolve) => {
    if (world.signal.aborted) resolve();
    world.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await running.close();
  return 0;
}

const world: CliWorld = {
  version: packageJson.version,
  env: process.env,
  stdout: output(process.stdout, onOutputError),
  // Nobody can be told that there is nowhere to tell it.
  stderr: output(process.stderr, () => {}),
  signal: interrupt.signal,
  now: Date.now,
  readFile: (file) => readFile(file, 'utf8'),
  openFile: (file) => openFile(file, interrupt.signal),
  createFile,
  startServer: async (options) => {
    const adminListen = { host: '127.0.0.1', port: 0 };
    const { start } = await loadServer();
    return start({ ...baseConfig(options), adminListen, boot: null }, loggerAt('warn'));
  },
  restore: async ({ data, backup, replace }) => {
    const { restore } = await loadRestore();
    const { dataDir, migrationsDir } = baseConfig({ data, images: null });
    const { note, ...made } = await restore({ dataDir, migrationsDir, backup, replace, now: Date.now() });
    return { ...made, madeAt: note.madeAt };
  },
  async *examine(options, scope) {
    const { examine } = await loadDoctor();
    yield* examine(serverConfig(options), scope);
  },
  serve,
};

process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
const exitCode = await runCli(process.argv.slice(2), world);
process.exitCode = isOutputLost ? 1 : exitCode;
