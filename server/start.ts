import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };

/** The entry of the bundle. What it loads is compiled from a cache, so it must come before all else. */

const [word, ...more] = process.argv.slice(2);
if ((word === '--version' || word === '-V') && more.length === 0)
  process.stdout.write(`${packageJson.version}\n`);
else {
  enableCompileCache(join(import.meta.dirname, 'compiled'));
  await import('./main.ts');
}
