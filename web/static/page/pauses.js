// How long the page waits before it asks a server again that was out of touch or had too much to do.

const FIRST_MS = 1000;
const LONGEST_MS = 10_000;
/** The most of what a server may ask for. */
const LONGEST_ASKED_MS = 60_000;

/**
 * The pause after that many failures in a row (at least 1), in milliseconds. It doubles from failure to failure, and is
 * random between half of that and all of it, so that pages that failed together do not return together.
 *
 * @param {number} failures
 * @param {number} [askedMs] what the server asks for; the pause is that much longer
 */
export function pauseAfterMs(failures, askedMs = 0) {
  const wholeMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return Math.min(askedMs, LONGEST_ASKED_MS) + wholeMs * (0.5 + Math.random() / 2);
}
