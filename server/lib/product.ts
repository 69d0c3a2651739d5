import { join } from 'node:path';

/** Where the product lies: the same whether its sources run or the bundle that packaging/bundle.ts makes of them. */

const FROM_SOURCE = import.meta.filename.endsWith('.ts');

/** The checkout. The bundle lies in `dist/ID`, this file in `server/lib`. */
export const ROOT = join(import.meta.dirname, '../..');

/** What the server runs in processes of their own; the bundle has an entry for each. */
export type ChildProgram = 'build-child' | 'check-child' | 'snapshot-child';

/** The file to fork. */
export function childProgram(name: ChildProgram): string {
  return FROM_SOURCE ? join(ROOT, 'server', `${name}.ts`) : join(import.meta.dirname, `${name}.js`);
}
