// The project of a task: which model it uses.
import { useEvents } from "../../events.js";
import { useLoaded } from "../../loading.js";

/** @typedef {import("../../api.js").Schemas["ProjectView"]} ProjectView */

/** @param {import("./use_task.js").TaskView} task */
export function useProject(task) {
  const path = `v1/projects/${encodeURIComponent(task.userId)}/${encodeURIComponent(task.projectId)}`;
  const project = /** @type {import("../../loading.js").Loaded<ProjectView>} */ (
    useLoaded(task.state === "done" ? path : null, { limit: 0 }));
  useEvents((event) => {
    const isOurs = event.userId === task.userId && event.projectId === task.projectId;
    if (isOurs && ["task.done", "model.promoted"].includes(event.type)) project.reload();
  });
  return project;
}
