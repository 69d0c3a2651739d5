import { connectDocker } from './docker.ts';

/** The Docker engine that builds would use. */
export type EngineFacts = {
  readonly version: string;
  /** Where it keeps its layers; on this machine only when it is this machine's. */
  readonly rootDir: string;
};

/** @throws Error when it does not answer */
export async function engineFacts(): Promise<EngineFacts> {
  const docker = connectDocker();
  const [{ Version }, info] = await Promise.all([docker.version(), docker.info()]);
  return { version: Version, rootDir: String(info.DockerRootDir) };
}
