import { CliError, UnreachableError } from './cli-error.ts';
import type { News } from './news.ts';
import { pause } from './pause.ts';
import type { Progress } from './progress.ts';
import type { Session } from './session.ts';

const POLL_MS = 1000;
/** Where news come by themselves, and what is asked may change without. */
const FOLLOWED_MS = 15_000;

/**
 * Asks until it is over: once a second, or when something has come. Hosts go on without their server, and so does this: a server that is away is asked again.
 * @param timeoutSeconds null: as long as it takes
 * @param isOver shows what was told, and says whether that was the last of it
 * @param tooLate what to say when the time has passed
 * @param news without which it may change only now and then; left out: it is asked once a second
 * @returns what was told last
 */
export async function untilOver<Told>(
  { world }: Session,
  progress: Progress,
  timeoutSeconds: number | null,
  ask: () => Promise<Told>,
  isOver: (told: Told) => boolean,
  tooLate: () => string,
  news?: News,
): Promise<Told> {
  const latest = timeoutSeconds === null ? Number.POSITIVE_INFINITY : world.now() + timeoutSeconds * 1000;
  let isAway = false;
  for (;;) {
    // What happened before the log was followed is in the answer.
    const isFollowed = news?.isFollowing === true;
    if (news) news.hasCome = false;
    try {
      const told = await ask();
      if (isAway) progress.note('the server is back');
      isAway = false;
      if (isOver(told)) return told;
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      if (!isAway) progress.note(`${error.message} Trying on.`);
      isAway = true;
    }
    const left = latest - world.now();
    if (left <= 0) throw new CliError(tooLate());
    await pause(Math.min(POLL_MS, left), world.signal);
    const most = Math.min(FOLLOWED_MS - POLL_MS, latest - world.now());
    if (news && isFollowed && !isAway && !news.hasCome && most > 0) await news.next(most);
  }
}
