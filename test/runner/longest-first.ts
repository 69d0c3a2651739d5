import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { inCheckout } from '../../lab/paths.ts';
import { LONG_FILES } from './long-files.ts';

/** Files that take minutes begin first, so that none of them runs alone at the end; the others as vitest sorts them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const seconds = ({ moduleId }: TestSpecification) => {
      const path = relative(inCheckout('.'), moduleId);
      return LONG_FILES.find(({ file }) => file === path)?.seconds ?? 0;
    };
    return (await super.sort(files)).sort((a, b) => seconds(b) - seconds(a));
  }
}
