/** Whether a server can do its work now, and what it looked at. */
export type ReadinessCheck = {
  readonly name: string;
  /** Null where it is well; else one sentence. */
  readonly trouble: string | null;
};
export type Readiness = { readonly isReady: boolean; readonly checks: readonly ReadinessCheck[] };

export type AskReadiness = () => Promise<Readiness>;
