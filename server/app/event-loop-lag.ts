import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How late this process usually was since it was asked last, in milliseconds. */
export function eventLoopLag(): { lagMs(): number; stop(): void } {
  const resolution = 20;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  return {
    lagMs() {
      const usual = delay.percentile(50) / 1e6 - resolution;
      delay.reset();
      return Math.max(0, usual);
    },
    stop: () => void delay.disable(),
  };
}
