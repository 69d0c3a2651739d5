/** What has to be undone at the end, last first; one failure does not keep the others from being undone. */
export class Closers {
  readonly #todo: (() => Promise<void> | void)[] = [];

  defer(undo: () => Promise<void> | void): void {
    this.#todo.push(undo);
  }

  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let undo = this.#todo.pop(); undo !== undefined; undo = this.#todo.pop()) {
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
