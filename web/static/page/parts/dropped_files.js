// Files that a person drops or chooses, with the folders that they lie in.

/**
 * folders: from the outermost folder that was dropped to the one that holds the file; empty for a single file.
 *
 * @typedef {{file: File, folders: string[]}} FoundFile
 */

/**
 * All files of a drop, those in dropped folders among them.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<FoundFile[]>}
 */
export async function droppedFiles(transfer) {
  // The browser empties the list of items as soon as the handler of the event waits for something.
  const items = [...transfer.items].filter((item) => item.kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  /** @type {FoundFile[]} */
  const found = [];
  for (const { entry, file } of items) {
    if (entry) await gather(entry, [], found);
    else if (file) found.push({ file, folders: [] });
  }
  return found;
}

/** The files of an `<input type=file>`. @param {FileList} files @returns {FoundFile[]} */
export const chosenFiles = (files) =>
  [...files].map((file) => ({ file, folders: file.webkitRelativePath.split("/").slice(0, -1) }));

/**
 * @param {FileSystemEntry} entry
 * @param {string[]} folders
 * @param {FoundFile[]} found the files are added to it
 */
async function gather(entry, folders, found) {
  if (entry.isFile) {
    const asFile = /** @type {FileSystemFileEntry} */ (entry);
    found.push({ file: await new Promise((resolve, reject) => asFile.file(resolve, reject)), folders });
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    // Each call brings some of the entries, and the one after the last brings none.
    /** @type {FileSystemEntry[]} */
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) return;
    for (const inside of entries) await gather(inside, [...folders, entry.name], found);
  }
}
