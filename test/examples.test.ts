import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './cli/run.ts';

const FOLDER = join(import.meta.dirname, '../examples/ci');
const COMMAND = /\.\/warmboot ((?:image )?[a-z]+)([^\n|)#]*)/g;

test.each(['workflow.yml', 'README.md'])(
  '%s gives only commands and options that there are',
  async (file) => {
    const text = readFileSync(join(FOLDER, file), 'utf8');
    const commands = [...text.matchAll(COMMAND)].map(([, words = '', rest = '']) => ({ words, rest }));
    expect(commands.length).toBeGreaterThan(4);
    for (const { words, rest } of commands) {
      const { code, stdout } = await run([...words.split(' '), '--help']);
      expect({ words, code }).toEqual({ words, code: 0 });
      for (const [option = ''] of rest.matchAll(/--[a-z-]+/g)) expect(stdout).toContain(option);
    }
  },
);
