import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const FOLDER = fileURLToPath(new URL('./images', import.meta.url));

/** The Docker images that the benches compare, made where they are missing; Docker's cache keeps them. */
export const IMAGES = {
  server: { base: 'trixie-security', target: 'server', middle: 'one', top: 'one' },
  layer: { base: 'trixie-security', target: 'layer', middle: 'one', top: 'one' },
  middle: { base: 'trixie-security', target: 'server', middle: 'two', top: 'one' },
  top: { base: 'trixie-security', target: 'server', middle: 'one', top: 'two' },
  outdated: { base: 'bookworm-main', target: 'server', middle: 'one', top: 'one' },
  bookworm: { base: 'bookworm-security', target: 'server', middle: 'one', top: 'one' },
} as const;
export type ImageName = keyof typeof IMAGES;

/** @returns the image's name in Docker */
export async function makeImage(name: ImageName): Promise<string> {
  const { base, target, middle, top } = IMAGES[name];
  await makeBase(base);
  const reference = `warmboot-bench/${name}`;
  const args = [`BASE=warmboot-bench/${base}`, `MIDDLE=${middle}`, `TOP=${top}`];
  const options = [...args.flatMap((each) => ['--build-arg', each]), '--target', target];
  await execa('docker', ['build', '-q', '-t', reference, ...options, FOLDER], {
    env: { DOCKER_BUILDKIT: '0' },
  });
  return reference;
}

/** Debian's packages with `main` alone, as of the last point release, or with the security updates too. */
async function makeBase(base: string): Promise<void> {
  const [suite = '', kind] = base.split('-');
  const reference = `warmboot-bench/${base}`;
  const known = await execa('docker', ['image', 'inspect', reference], { reject: false });
  if (!known.failed) return;
  process.stderr.write(`making ${reference} with mmdebstrap\n`);
  // The mirror is whatever this machine gets its own packages from.
  const sites = await execa('apt-get', [
    'indextargets',
    '--format',
    '$(SITE) $(RELEASE) $(COMPONENT)',
    'Created-By: Packages',
  ]);
  const site = /^(\S+) \S+ main$/m.exec(sites.stdout.replace(/^.*(?:security|updates|file:).*$/gm, ''))?.[1];
  const sources = kind === 'main' ? [`deb ${site} ${suite} main`] : [];
  const bootstrap = execa('mmdebstrap', ['--variant=minbase', suite, '-', ...sources], {
    buffer: false,
    stdin: 'ignore',
    stdout: 'pipe',
  });
  await bootstrap.pipe('docker', ['import', '-', reference]);
}
