import { createHash } from 'node:crypto';

/** Clicks on one button are not further apart. */
const KEPT_MS = 10_000;
const MOST_KEPT = 200;

/**
 * A form that was sent twice by a double click does its work once, and both are answered alike: a browser shows the answer to the
 * second, and that must not be "somebody was faster". What was refused may be tried again at once.
 * @param form what makes it the same: the session, the address and the body, in which each form has a number of its own
 */
export function onceEach(): (
  form: readonly string[],
  act: () => Response | Promise<Response>,
) => Promise<Response> {
  const answers = new Map<string, Promise<Response>>();
  return async (form, act) => {
    const key = createHash('sha256').update(JSON.stringify(form)).digest('base64');
    const known = answers.get(key);
    if (known) return (await known).clone();
    const answer = Promise.resolve(act());
    const [oldest] = answers.keys();
    if (answers.size >= MOST_KEPT && oldest !== undefined) answers.delete(oldest);
    answers.set(key, answer);
    const forget = () => answers.get(key) === answer && answers.delete(key);
    try {
      const { status } = await answer;
      if (status >= 400) forget();
      else setTimeout(forget, KEPT_MS).unref();
      return (await answer).clone();
    } catch (error) {
      forget();
      throw error;
    }
  };
}
