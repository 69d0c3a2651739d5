import { webhookDelivery } from '../control/webhook-delivery.ts';
import { webhookCases } from '../control/webhooks.ts';
import type { Store } from '../core/ports.ts';
import type { WebhookUseCases } from '../core/use-cases.ts';
import { newId } from '../keys/tokens.ts';
import { newWebhookSecret, signWebhook } from '../keys/webhook-signature.ts';
import { poster } from '../webhooks/post.ts';

/** Joins what tells webhooks of events. @returns the use cases, and the step of the ticker */
export function joinWebhooks(
  store: Store,
  isFree: boolean,
  onError: (error: unknown) => void,
  closers: (() => unknown)[],
): { readonly webhooks: WebhookUseCases; readonly step: { readonly name: string; look(): Promise<void> } } {
  const { post, close } = poster(isFree);
  const shared = { store, clock: Date.now, post, sign: signWebhook };
  const delivery = webhookDelivery({ ...shared, chance: Math.random, onError });
  const forget = store.log.listen(() => void delivery.look().catch(onError));
  closers.push(close, delivery.stop, forget);
  return {
    webhooks: webhookCases({ ...shared, newId, newSecret: newWebhookSecret }),
    step: { name: 'webhooks', look: delivery.look },
  };
}
