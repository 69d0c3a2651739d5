/** What `doctor` found about one thing, and what mends it. Sentences for people; `check` is for programs and stays as it is. */
export type Finding = {
  /** Short and stable: `tftp-port`, `nbp`, `dhcp`, … Several findings may be of one check. */
  readonly check: string;
  /**
   * - `ok`       as it should be
   * - `warning`  works, or is needed only by some command or some machines
   * - `problem`  machines will not boot, or the server will not start
   */
  readonly level: 'ok' | 'warning' | 'problem';
  /** What is so. One sentence without a full stop. */
  readonly what: string;
  /** What to do about it; null when there is nothing to do. */
  readonly mend: string | null;
};

export function ok(check: string, what: string): Finding {
  return { check, level: 'ok', what, mend: null };
}

export function warning(check: string, what: string, mend: string): Finding {
  return { check, level: 'warning', what, mend };
}

export function problem(check: string, what: string, mend: string): Finding {
  return { check, level: 'problem', what, mend };
}
