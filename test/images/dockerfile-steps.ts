/** One instruction of a Dockerfile, its continued lines joined as Docker does: comments between them are left out. */
export interface DockerfileStep {
  readonly keyword: string;
  readonly text: string;
}

export function dockerfileSteps(dockerfile: string): DockerfileStep[] {
  const lines = dockerfile.split('\n').filter((line) => line.trim() !== '' && !/^\s*#/.test(line));
  return lines
    .join('\n')
    .split(/(?<!\\)\n/)
    .map((instruction) => {
      const [, keyword = '', text = ''] = /^(\S+)\s+(.*)$/s.exec(instruction) ?? [];
      return { keyword, text };
    })
    .filter(({ keyword }) => keyword !== '');
}
