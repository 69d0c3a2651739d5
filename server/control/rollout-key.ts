/** By which those who wait for a rollout are woken when an attempt of it ends. */
export function rolloutKey(id: string): string {
  return `rollout ${id}`;
}
