// The table of all views. A view is loaded when it is first shown.

/**
 * title: the message that names the view. load: brings its component. inMenu: whether the menu has it.
 *
 * @typedef {{title: import("../words.js").Message, load: () => Promise<Function>, inMenu: boolean}} View
 */

/** By the first part of the address. @type {Record<string, View>} */
export const VIEWS = {
  now: { title: "now.title", load: async () => (await import("./now/now.js")).Now, inMenu: true },
  start: { title: "start.title", load: async () => (await import("./start/start.js")).Start, inMenu: true },
  try: { title: "try.title", load: async () => (await import("./try/try.js")).Try, inMenu: true },
  compare: { title: "compare.title", load: async () => (await import("./compare/compare.js")).Compare, inMenu: true },
  server: { title: "server.title", load: async () => (await import("./server/server.js")).Server, inMenu: true },
  tasks: { title: "task.title", load: async () => (await import("./task/task.js")).Task, inMenu: false },
  labels: { title: "labels.title", load: async () => (await import("./labels/labels.js")).Labels, inMenu: false },
};
export const FIRST_VIEW = "now";
