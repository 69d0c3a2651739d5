import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { inCheckout } from '../../lab/paths.ts';
import { firstLines } from './outcomes.ts';
import type { Results } from './results.ts';
import { say } from './say.ts';
import { shellScripts } from './shell-scripts.ts';

/** Checks of the code as a whole; each counts as one test. */
export async function runChecks(results: Results): Promise<void> {
  const bin = (name: string) => inCheckout(`node_modules/.bin/${name}`);
  const scripts = await shellScripts(inCheckout('.'));
  const checks: readonly (readonly [name: string, program: string, args: readonly string[]])[] = [
    ['types (tsc)', bin('tsc'), ['--noEmit']],
    ['types of what browsers run (tsc)', bin('tsc'), ['-p', 'server/web/client']],
    ['lint and format (biome)', bin('biome'), ['check', '.']],
    ['unused code (knip)', bin('knip'), []],
    ['shell scripts (shellcheck)', 'shellcheck', ['-x', ...scripts]],
  ];
  for (const [name, program, args] of checks) {
    const failure = await failureOf(program, args);
    results.addCheck(name, failure === undefined ? undefined : firstLines(failure));
    say(failure === undefined ? ` ✓ ${name}` : ` ✗ ${name}: ${failure}`);
  }
}

/** What a program says that ends badly. */
async function failureOf(program: string, args: readonly string[]): Promise<string | undefined> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const take = (text: Buffer) => {
    output += text;
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  try {
    const [code] = await once(child, 'close');
    return code === 0 ? undefined : `ended with code ${code}\n${output}`;
  } catch (error) {
    return (error as Error).message;
  }
}
