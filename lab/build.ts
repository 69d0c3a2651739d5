import { once } from 'node:events';
import { startProgram } from './child.ts';
import { inCheckout } from './paths.ts';
import type { BuiltImage } from './story.ts';

/**
 * `./warmboot build NAME OPTIONS`, its progress going straight to our stderr.
 * @throws Error when it fails; what is wrong stands on stderr then.
 */
export async function buildImage(
  name: string,
  data: string,
  signal: AbortSignal,
  options: readonly string[] = [],
): Promise<BuiltImage> {
  const child = startProgram(inCheckout('warmboot'), ['build', name, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, WARMBOOT_DATA: data },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    signal.throwIfAborted();
    const digest = output.trim().split('\n').at(-1) ?? '';
    if (code !== 0)
      throw new Error(`./warmboot build ${name} ended with code ${code}; the reason stands above`);
    if (!/^sha256:[0-9a-f]{64}$/.test(digest))
      throw new Error(`./warmboot build ${name} printed no digest but "${digest}"`);
    return { name, digest };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
