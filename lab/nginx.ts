import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startProgram } from './child.ts';

/** An nginx of one's own, in the foreground: its configuration, its logs and what it keeps lie in `folder`. */
export interface Nginx {
  /** Of its master process. */
  readonly pid: number;
  readonly url: string;
  close(): Promise<void>;
}

/** @param http what stands in the block `http`, given the address to listen on, of loopback */
export async function startNginx(folder: string, http: (listen: string) => string): Promise<Nginx> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'nginx.conf');
  const port = await freePort();
  await writeFile(path, configuration(folder, http(`127.0.0.1:${port}`)));
  const child = startProgram('nginx', ['-c', path, '-p', folder, '-e', join(folder, 'error.log')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  const ended = once(child, 'exit');
  for (let i = 0; !(await takesConnections(port)); i += 1) {
    if (child.exitCode !== null || i > 200) throw new Error(`nginx does not listen on ${port}. ${said}`);
    await pause(50);
  }
  return {
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${port}`,
    async close() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The process's own part of a configuration; Debian's package has the same number of workers. */
function configuration(folder: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
user root;
worker_processes auto;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 2048; }
http {
${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
${http}
}
`;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
