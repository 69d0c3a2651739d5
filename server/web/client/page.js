import './keys.js';
import './choose.js';
import './rates.js';
import { dressTimes } from './times.js';

/** What every page does: moments in the reader's time, and "3 min ago" that stays true. */

const LOOK_MS = 5_000;

dressTimes(document);
setInterval(() => {
  if (!document.hidden) dressTimes(document);
}, LOOK_MS);
