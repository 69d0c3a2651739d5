/** What was read is not what was stored. `message` names the pack and the place; the bytes are never handed on. */
export class DamageError extends Error {
  override readonly name = 'DamageError';
  readonly packId: string;

  constructor(packId: string, message: string) {
    super(message);
    this.packId = packId;
  }
}
