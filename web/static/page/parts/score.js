// The headline score of a task, as its metrics have it.

/** The headline of each trainType. */
const HEADLINES = ["accuracy", "dice"];

/**
 * The name and value of the headline, and the ends of its 95 % interval where there is one. Null without a score.
 *
 * @param {Record<string, number>} metrics
 * @returns {{name: string, value: number, low?: number, high?: number} | null}
 */
export function headlineOf(metrics) {
  const name = HEADLINES.find((headline) => headline in metrics);
  return name ? { name, value: metrics[name], low: metrics[`${name}_low`], high: metrics[`${name}_high`] } : null;
}
