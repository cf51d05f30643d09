// How full the disks of the data roots are.
import { html } from "../../preact.js";
import { bytes, t } from "../../words.js";

/** @param {{disks: import("../../api.js").Schemas["ServerView"]["disks"]}} props */
export const Disks = ({ disks }) => html`
  <section aria-labelledby="disks"><h2 id="disks">${t("server.disks")}</h2>
    <ul class="plain">${disks.map((disk) => html`<li class="disk"><${Disk} disk=${disk} /></li>`)}</ul></section>`;

/** @param {{disk: import("../../api.js").Schemas["ServerView"]["disks"][number]}} props */
function Disk({ disk }) {
  if (disk.freeBytes === null || disk.totalBytes === null) {
    return html`<span class="path">${disk.path}</span><span class="bad">${t("server.disk_silent")}</span>`;
  }
  const used = disk.totalBytes ? 1 - disk.freeBytes / disk.totalBytes : 1;
  const isFull = disk.freeBytes < disk.minFreeBytes;
  const words = t("server.free", { free: bytes(disk.freeBytes), total: bytes(disk.totalBytes) });
  return html`
    <span class="path">${disk.path}</span>
    <progress max="1" value=${used} aria-label=${t("server.used", { path: disk.path })}></progress>
    <span class="small">${words}</span>
    ${isFull && html`<span class="bad">${t("server.full", { least: bytes(disk.minFreeBytes) })}</span>`}`;
}
