import { join } from 'node:path';
import { execa } from 'execa';

const HELPER = 'images/agent/helper';

/**
 * Compiles one source of the helper over calls that are played, with sanitizers.
 * @param calls the names of the system calls that the fixture plays, as `played_…`
 * @returns the program, in that folder: main() is in `test/fixtures/NAME/played.c`
 */
export async function makePlayedPart(
  folder: string,
  name: string,
  calls: readonly string[],
): Promise<string> {
  const program = join(folder, name);
  const sources = [`${HELPER}/${name}.c`, `${HELPER}/failure.c`, `test/fixtures/${name}/played.c`];
  const played = calls.map((call) => `-D${call}=played_${call}`);
  const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-D_FILE_OFFSET_BITS=64', '-Wall', '-Wextra', '-Werror'];
  const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-g'];
  await execa('cc', [...flags, ...played, `-I${HELPER}`, ...sanitizers, '-o', program, ...sources]);
  return program;
}
